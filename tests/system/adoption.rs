//! Services that were there before Evenkeel: their manifests are written, they are taken over, and nothing changes.

use std::{fs, path::Path, process::Output};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::{
    bare::{ACCOUNT, Bare, CLUSTER},
    random_service::{self, Images},
};

/// How many services are tried.
const SEEDS: u64 = 52;
/// How `plan` ends for a service that is as it should be. ECS may still be busy with what another hand has just made; that
/// is told on a line before.
const IN_SYNC: &str = "Plan: 0 to change, 0 to create, 1 in sync.\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_services_manifest_has_an_empty_plan() {
    let bare = Bare::start().await;
    let images = Images {
        tagged: bare.push("shop/api", "a", &["1.0.0", "latest"]).await,
        untagged: bare.push("shop/api", "b", &[]).await,
        repository: format!("{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/shop/api"),
    };
    for group in ["/ecs/shared", "/ecs/service-3"] {
        let request = bare.clients.logs.create_log_group().log_group_name(group);
        request.send().await.unwrap();
    }
    for first in (0..SEEDS).step_by(4) {
        // A few processes at once; each failure is told by its seed.
        let four = tokio::join!(
            one(&bare, &images, first),
            one(&bare, &images, first + 1),
            one(&bare, &images, first + 2),
            one(&bare, &images, first + 3),
        );
        for told in [four.0, four.1, four.2, four.3] {
            if let Err(why) = told {
                panic!("{why}");
            }
        }
    }
}

/// One seed: made by another hand, described, taken over. What went wrong, with everything needed to see why.
async fn one(bare: &Bare, images: &Images, seed: u64) -> Result<(), String> {
    let mut rng = Rng::with_seed(seed);
    let name = format!("service-{seed}");
    let definition = random_service::definition(&mut rng, &name, images);
    let registered = bare.ecs("RegisterTaskDefinition", definition).await;
    let definition = &registered["taskDefinition"];
    let group = if rng.u8(..3) == 0 {
        let port = 8_000 + i32::try_from(seed).unwrap();
        Some(bare.target_group(&name, port).await)
    } else {
        None
    };
    let service = random_service::service(&mut rng, &name, definition, group.as_deref());
    bare.ecs("CreateService", service).await;

    let manifests = bare.manifests(&name);
    let file = manifests.join("api.yaml");
    let init = [
        "init",
        "--from-service",
        &name,
        "--cluster",
        CLUSTER,
        "--file",
    ];
    let init = [&init[..], &[file.to_str().unwrap()]].concat();
    let run = async |arguments: &[&str], wanted: i32| {
        let output = bare.evenkeel(&manifests, arguments).await;
        if output.status.code() == Some(wanted) {
            return Ok(String::from_utf8(output.stdout).unwrap());
        }
        let written = fs::read_to_string(&file).unwrap_or_default();
        Err(format!(
            "seed {seed}: {arguments:?} ended with {:?}\n{}\n{}\n{written}",
            output.status.code(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    };
    run(&init, 0).await?;
    run(&["validate", manifests.to_str().unwrap()], 0).await?;
    let plans: Value = serde_json::from_str(&run(&["plan", "-o", "json"], 0).await?).unwrap();
    let plan = &plans[0];
    let steps: Vec<_> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["operation"].as_str().unwrap())
        .collect();
    let is_taking_over = steps.iter().all(|step| *step == "TagResource");
    if plan["differences"] != json!([]) || plan["blocked"] != json!([]) || !is_taking_over {
        let written = fs::read_to_string(&file).unwrap();
        return Err(format!("seed {seed}: {plan:#}\n{written}"));
    }
    let take_over: &[&str] = if seed.is_multiple_of(2) {
        &["apply", "--timeout", "0"]
    } else {
        &["adopt", &name]
    };
    run(take_over, 0).await?;
    let plan = run(&["plan", "--exit-code"], 0).await?;
    if plan.ends_with(IN_SYNC) {
        Ok(())
    } else {
        Err(format!("seed {seed}: {plan}"))
    }
}

async fn make_service(bare: &Bare, name: &str, tags: Value) {
    let container = json!({"name": "api", "image": "docker.io/shop/api:1", "environment": [{"name": "A", "value": "1"}]});
    bare.ecs(
        "RegisterTaskDefinition",
        json!({"family": format!("{CLUSTER}-{name}"), "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "requiresCompatibilities": ["FARGATE"], "containerDefinitions": [container]}),
    )
    .await;
    bare.ecs(
        "CreateService",
        json!({"cluster": CLUSTER, "serviceName": name, "taskDefinition": format!("{CLUSTER}-{name}"), "desiredCount": 0,
            "launchType": "FARGATE", "tags": tags,
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-00000001"]}}}),
    )
    .await;
}

async fn owner_of(bare: &Bare, name: &str) -> Option<String> {
    let input = json!({"cluster": CLUSTER, "services": [name], "include": ["TAGS"]});
    let described = bare.ecs("DescribeServices", input).await;
    let tags = described["services"][0]["tags"].as_array().cloned();
    let owner = tags
        .into_iter()
        .flatten()
        .find(|tag| tag["key"] == "evenkeel:owner");
    owner.map(|tag| tag["value"].as_str().unwrap().to_owned())
}

fn said(output: &Output) -> String {
    format!(
        "{:?} {}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The manifest of a service, without the line that takes it over.
async fn manifest_without_adopt(bare: &Bare, name: &str, into: &Path) {
    let init = ["init", "--from-service", name, "--cluster", CLUSTER];
    let written = bare.evenkeel(into, &init).await;
    assert_eq!(written.status.code(), Some(0), "{}", said(&written));
    let text = String::from_utf8(written.stdout).unwrap();
    assert!(text.ends_with("\n  adopt: true\n"), "{text}");
    fs::write(into.join("api.yaml"), text.replace("\n  adopt: true", "")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tools_service_is_left_alone_until_it_is_adopted() {
    let bare = Bare::start().await;
    let manifests = bare.manifests("all");
    make_service(&bare, "api", json!([])).await;
    manifest_without_adopt(&bare, "api", &manifests).await;

    let plan = bare.evenkeel(&manifests, &["plan"]).await;
    assert!(said(&plan).contains("set `adopt: true`"), "{}", said(&plan));
    let apply = bare.evenkeel(&manifests, &["apply"]).await;
    assert_ne!(apply.status.code(), Some(0), "{}", said(&apply));
    assert_eq!(owner_of(&bare, "api").await, None);

    let adopt = bare.evenkeel(&manifests, &["adopt", "api"]).await;
    assert_eq!(
        said(&adopt),
        "Some(0) api (prod) is owned by evenkeel/prod/api, and is as its manifest says\n"
    );
    assert_eq!(
        owner_of(&bare, "api").await.as_deref(),
        Some("evenkeel/prod/api")
    );
    let plan = bare.evenkeel(&manifests, &["plan", "--exit-code"]).await;
    let plan = said(&plan);
    assert!(
        plan.starts_with("Some(0)") && plan.ends_with(IN_SYNC),
        "{plan}"
    );
    let again = bare.evenkeel(&manifests, &["adopt", "prod/api"]).await;
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));

    // What differs is not called the same.
    make_service(&bare, "other", json!([])).await;
    let others = bare.manifests("others");
    manifest_without_adopt(&bare, "other", &others).await;
    let file = others.join("api.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("value: \"1\"", "value: \"2\"")).unwrap();
    let adopt = bare.evenkeel(&others, &["adopt", "other"]).await;
    assert!(
        said(&adopt).contains("environment[A]  \"1\" → \"2\""),
        "{}",
        said(&adopt)
    );
    let plan = bare.evenkeel(&others, &["plan", "-o", "json"]).await;
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(
        plan[0]["cause"], "edit",
        "it is the manifest that changes something"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_owners_service_is_refused_by_every_command() {
    let bare = Bare::start().await;
    let manifests = bare.manifests("all");
    make_service(
        &bare,
        "theirs",
        json!([{"key": "evenkeel:owner", "value": "other/prod/theirs"}]),
    )
    .await;
    make_service(&bare, "ours", json!([])).await;
    manifest_without_adopt(&bare, "ours", &manifests).await;
    let file = manifests.join("api.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("name: ours", "name: theirs")).unwrap();

    let init = ["init", "--from-service", "theirs", "--cluster", CLUSTER];
    let elsewhere = bare.manifests("empty");
    let delete = ["delete", "theirs", "--cluster", CLUSTER, "--yes"];
    for (directory, arguments) in [
        (&manifests, &init[..]),
        (&manifests, &["adopt", "theirs"]),
        (&elsewhere, &delete),
    ] {
        let output = bare.evenkeel(directory, arguments).await;
        assert_eq!(
            output.status.code(),
            Some(5),
            "{arguments:?} {}",
            said(&output)
        );
        assert!(
            said(&output).contains("other/prod/theirs"),
            "{}",
            said(&output)
        );
    }
    assert_eq!(
        owner_of(&bare, "theirs").await.as_deref(),
        Some("other/prod/theirs")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_deleted_only_when_it_is_ours_undescribed_and_meant() {
    let bare = Bare::start().await;
    let manifests = bare.manifests("all");
    make_service(&bare, "api", json!([])).await;
    manifest_without_adopt(&bare, "api", &manifests).await;
    let file = manifests.join("api.yaml");
    let delete = ["delete", "api", "--cluster", CLUSTER];
    let sure = [&delete[..], &["--yes"]].concat();
    let refused = async |arguments: &[&str], why: &str| {
        let output = bare.evenkeel(&manifests, arguments).await;
        assert_eq!(output.status.code(), Some(5), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
    };
    refused(&sure, "remove that first").await;
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("desiredCount", "desiredCuont")).unwrap();
    refused(&sure, "may describe api").await;
    fs::write(&file, &good).unwrap();
    let adopt = bare.evenkeel(&manifests, &["adopt", "api"]).await;
    assert_eq!(adopt.status.code(), Some(0), "{}", said(&adopt));
    fs::remove_file(&file).unwrap();
    refused(&delete, "say --yes").await;
    assert!(owner_of(&bare, "api").await.is_some());

    let done = bare.evenkeel(&manifests, &sure).await;
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(
        said(&done).contains("api (prod) is gone"),
        "{}",
        said(&done)
    );
    let again = bare.evenkeel(&manifests, &sure).await;
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    assert!(
        said(&again).contains("there is no service api"),
        "{}",
        said(&again)
    );
}
