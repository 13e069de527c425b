//! What people ask beside `plan`, `apply` and `status`: what ran, what happened, what was written, what is missing; and
//! the one command that deletes.

use std::{
    fs,
    process::{Output, Stdio},
    time::Duration,
};

use evenkeel::status::{Phase, ServiceStatus};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::{Instant, timeout},
};

use crate::world::World;

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

fn runs(tag: &'static str) -> impl Fn(&ServiceStatus) -> bool {
    move |status| {
        status.phase == Phase::Synced && status.image.as_ref().is_some_and(|image| image.tag == tag)
    }
}

async fn ask(world: &World, arguments: &[&str]) -> Output {
    world.evenkeel("by-hand", arguments).await
}

async fn text(world: &World, arguments: &[&str]) -> String {
    let output = ask(world, arguments).await;
    let said = String::from_utf8(output.stdout).unwrap();
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}\n{said}{wrong}"
    );
    said
}

async fn json(world: &World, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["-o", "json"]].concat();
    serde_json::from_str(&text(world, &arguments).await).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ran_what_happened_and_what_was_written_is_told() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    world.set_tag("1.1.0");
    world.until("rolled out", runs("1.1.0")).await;
    world.set_tag("crashes");
    world
        .until("held", |status| {
            status.phase == Phase::Held && status.rollout.is_none()
        })
        .await;

    let history = json(&world, &["history", "api"]).await;
    let told: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["outcome"].as_str().unwrap(),
                entry["tag"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("failed", "crashes"),
            ("succeeded", "1.1.0"),
            ("succeeded", "1.0.0")
        ]
    );
    let [failed, good] = [&history[0], &history[1]];
    assert!(
        good["digest"].as_str().unwrap().starts_with("sha256:"),
        "{good:#}"
    );
    assert!(
        good["definition"]
            .as_str()
            .unwrap()
            .starts_with("evenkeel-api:"),
        "{good:#}"
    );
    assert!(
        good["seconds"].as_i64().is_some() && good["finishedAt"].is_string(),
        "{good:#}"
    );
    assert_eq!(failed["failure"]["exit_code"], 1, "{failed:#}");
    let table = text(&world, &["history", "evenkeel/api"]).await;
    assert!(
        table.lines().nth(1).unwrap().contains("it cannot start"),
        "{table}"
    );

    let events = json(&world, &["events", "api"]).await;
    let kinds: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds.first(),
        Some(&"Created"),
        "the oldest first: {kinds:?}"
    );
    assert!(kinds.contains(&"Held"), "{kinds:?}");
    assert!(text(&world, &["events"]).await.contains("Held"));
    assert_eq!(
        json(&world, &["events", "nobody"]).await,
        Value::from(Vec::<Value>::new())
    );

    let all = text(&world, &["logs", "api"]).await;
    assert!(
        all.contains("it cannot start"),
        "also of tasks that have stopped: {all}"
    );
    let times: Vec<_> = all.lines().map(|line| &line[..19]).collect();
    assert!(times.is_sorted(), "one stream: {all}");
    let one_tasks = text(&world, &["logs", "api", "-o", "json", "--tail", "1"]).await;
    let last: Value = serde_json::from_str(one_tasks.trim_end()).unwrap();
    let task = last["task"].as_str().unwrap();
    let its = text(&world, &["logs", "api", "-o", "json", "--task", task]).await;
    let lines: Vec<Value> = its
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line["task"] == task),
        "{its}"
    );
    let nobodys = ask(&world, &["logs", "api", "--container", "nobody"]).await;
    assert_eq!(nobodys.status.code(), Some(1), "{nobodys:?}");

    assert_eq!(written_by_hand(&world).await, 0, "reading changes nothing");
}

async fn written_by_hand(world: &World) -> usize {
    let calls = world.journal().await;
    calls
        .iter()
        .filter(|call| call.write && call.caller == "by-hand")
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_followed_over_a_task_that_is_replaced_until_ctrl_c() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    let mut following = tokio::process::Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["logs", "api", "--follow", "-o", "json"])
        .envs(world.environment("by-hand"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let first = timeout(PATIENCE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    let old = first["task"].as_str().unwrap().to_owned();

    let before = tasks(&world).await;
    assert!(before.contains(&old), "{before:?} {old}");
    let stop = world.ecs().stop_task().cluster("evenkeel").task(&old);
    stop.send().await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    loop {
        let line = tokio::time::timeout_at(deadline, lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("nothing of a new task: {seen:#?}"));
        let line: Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        assert!(!seen.contains(&line), "told twice: {line}");
        let is_new = !before.contains(&line["task"].as_str().unwrap().to_owned());
        seen.push(line);
        if is_new {
            break;
        }
    }
    let pid = i32::try_from(following.id().unwrap()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    let ended = timeout(PATIENCE, following.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(130));
}

/// The ids of the tasks that run.
async fn tasks(world: &World) -> Vec<String> {
    let listed = world
        .ecs()
        .list_tasks()
        .cluster("evenkeel")
        .service_name("api");
    let listed = listed.send().await.unwrap();
    let ids = listed
        .task_arns()
        .iter()
        .map(|arn| arn.rsplit('/').next().unwrap());
    ids.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_manifest_names_is_verified_and_what_is_deleted_is_gone() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    let checks = json(&world, &["verify"]).await;
    let checks: Vec<_> = checks.as_array().unwrap().iter().collect();
    let names: Vec<_> = checks
        .iter()
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "cluster",
            "image",
            "targetGroup",
            "containerPort",
            "logGroup",
            "network",
            "arns"
        ]
    );
    assert!(
        checks.iter().all(|check| check["result"] == "ok"),
        "{checks:#?}"
    );

    let good = fs::read_to_string(world.manifest()).unwrap();
    for (from, to, check) in [
        ("tag: \"1.0.0\"", "tag: \"9.9.9\"", "image"),
        ("${terraform.cluster_name}", "nowhere", "cluster"),
        (
            "${terraform.target_group_arn}",
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/no/0123456789abcdef",
            "targetGroup",
        ),
        (
            "awslogs-group: /ecs/api",
            "awslogs-group: /ecs/gone",
            "logGroup",
        ),
        (
            "${terraform.api_task_role_arn}",
            "arn:aws:iam::999999999999:role/theirs",
            "arns",
        ),
        ("\"${terraform.ecs_security_group_id}\"", "api", "network"),
    ] {
        let wrong = tempfile::tempdir().unwrap();
        let file = wrong.path().join("api.yaml");
        assert!(good.contains(from), "{from}");
        fs::write(&file, good.replace(from, to)).unwrap();
        let output = ask(&world, &["verify", file.to_str().unwrap()]).await;
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{check}: {said}");
        let failed: Vec<_> = said
            .lines()
            .filter(|line| line.starts_with("FAILED"))
            .collect();
        assert!(
            failed.len() == 1 && failed[0].contains(check),
            "{check}: {said}"
        );
    }
    assert_eq!(written_by_hand(&world).await, 0, "looking changes nothing");

    // Another manifest keeps the directory from being empty, which would change nothing.
    let other = world.manifest().with_file_name("other.yaml");
    fs::write(&other, crate::bad_input::other(&good)).unwrap();
    until_services(&world, 2).await;
    fs::remove_file(world.manifest()).unwrap();
    world
        .until("orphaned", |status| status.phase == Phase::Orphaned)
        .await;
    // The cluster is that of the other manifests.
    let said = text(&world, &["delete", "api", "--yes", "-o", "json"]).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&said["service"], &said["state"]),
        (&"api".into(), &"gone".into())
    );
    let described = world
        .ecs()
        .describe_services()
        .cluster("evenkeel")
        .services("api");
    let described = described.send().await.unwrap();
    assert_eq!(described.services()[0].status(), Some("INACTIVE"));
    world.resyncs(2).await;
    let created = world.daemon_writes().await;
    let created = created
        .iter()
        .filter(|call| call.operation == "CreateService");
    assert_eq!(created.count(), 2, "it is not created again");
}

async fn until_services(world: &World, many: usize) {
    let deadline = Instant::now() + PATIENCE;
    while json(world, &["status"]).await.as_array().unwrap().len() < many {
        assert!(
            Instant::now() < deadline,
            "the daemon has not taken the manifest"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
