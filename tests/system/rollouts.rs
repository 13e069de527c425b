//! From a manifest edited by a person to traffic served by the new version, and everything that may go wrong between.

use evenkeel::{
    event::Kind,
    status::{Phase, ServiceStatus},
};
use serde_json::{Value, json};

use crate::{
    load::Load,
    world::{RESYNC, World, get},
};

fn runs(tag: &'static str) -> impl Fn(&ServiceStatus) -> bool {
    move |status| {
        status.phase == Phase::Synced && status.image.as_ref().is_some_and(|image| image.tag == tag)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_nothing_to_ready_and_then_at_rest() {
    let world = World::start().await;
    let url = format!("{}/items/1", world.endpoints.load_balancer);
    let first = get(&url).await;
    assert_eq!(first.headers()["cache-status"], "api; fwd=miss; stored");
    let again = get(&url).await;
    assert!(
        again.headers()["cache-status"]
            .to_str()
            .unwrap()
            .starts_with("api; hit")
    );
    assert_eq!(first.body(), again.body());

    let status = world.until("in sync", runs("1.0.0")).await;
    assert_eq!((status.tasks.desired, status.tasks.running), (2, 2));
    let plan = world.evenkeel("by-hand", &["plan", "--exit-code"]).await;
    let said = String::from_utf8(plan.stdout).unwrap();
    assert_eq!(
        (plan.status.code(), said.as_str()),
        (Some(0), "Plan: 0 to change, 0 to create, 1 in sync.\n")
    );

    let before = world.daemon_writes().await.len();
    world.resyncs(3).await;
    let writes = world.daemon_writes().await;
    assert_eq!(writes.len(), before, "{:#?}", &writes[before..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_tag_rolls_both_tasks_with_no_failed_request() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    let load = Load::start(&world);
    world.set_tag("1.1.0");
    world.until("rolled out", runs("1.1.0")).await;
    let during = load.stop().await;
    assert_eq!(during.bad, [] as [String; 0]);
    assert!(
        during.good.contains_key("api/1.0.0") && during.good.contains_key("api/1.1.0"),
        "{:?}",
        during.good
    );

    let load = Load::start(&world);
    world.resyncs(1).await;
    let after = load.stop().await;
    assert_eq!(after.bad, [] as [String; 0]);
    assert_eq!(after.good.keys().collect::<Vec<_>>(), ["api/1.1.0"]);
    let kinds: Vec<_> = world
        .events()
        .await
        .iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        &kinds[..3],
        [Kind::RolloutCompleted, Kind::RolloutStarted, Kind::Applied]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_crashes_is_rolled_back_held_and_superseded() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    let load = Load::start(&world);
    world.set_tag("crashes");
    let held = world
        .until("held", |status| {
            status.phase == Phase::Held && status.rollout.is_none()
        })
        .await;
    assert!(held.held[0].image.ends_with("api:crashes"), "{held:#?}");
    assert!(held.held[0].reason.contains("api exited 1"), "{held:#?}");
    assert!(
        held.held[0].reason.contains("it cannot start"),
        "the task's own last word: {held:#?}"
    );
    assert!(held.message.contains(&held.held[0].reason));
    assert_eq!(held.image.unwrap().tag, "1.0.0");

    let updates = async || {
        world
            .daemon_writes()
            .await
            .iter()
            .filter(|call| call.operation == "UpdateService")
            .count()
    };
    assert_eq!(updates().await, 1);
    world.resyncs(2).await;
    world.kill_daemon().await;
    let after = world
        .until("held again", |status| status.phase == Phase::Held)
        .await;
    assert_eq!(after.held, held.held);
    world.resyncs(2).await;
    assert_eq!(updates().await, 1, "what failed is not tried again");

    world.set_tag("1.1.0");
    world.until("superseded", runs("1.1.0")).await;
    let answers = load.stop().await;
    assert_eq!(answers.bad, [] as [String; 0]);
    assert_eq!(
        answers.good.keys().collect::<Vec<_>>(),
        ["api/1.0.0", "api/1.1.0"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_lets_what_failed_be_tried_again() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    let nothing = world.evenkeel("by-hand", &["retry", "api"]).await;
    assert_eq!(nothing.status.code(), Some(1), "nothing is held yet");
    world.set_tag("crashes");
    let first = world
        .until("held", |status| {
            status.phase == Phase::Held && status.rollout.is_none()
        })
        .await;
    let retry = world.evenkeel("by-hand", &["retry", "api"]).await;
    assert_eq!(retry.status.code(), Some(0), "{retry:?}");
    world
        .until("held for the second failure", |status| {
            status.phase == Phase::Held
                && status.rollout.is_none()
                && status.held[0].since > first.held[0].since
        })
        .await;
    let writes = world.daemon_writes().await;
    assert_eq!(
        writes
            .iter()
            .filter(|call| call.operation == "UpdateService")
            .count(),
        2
    );
    assert_eq!(
        writes
            .iter()
            .filter(|call| call.operation == "RegisterTaskDefinition")
            .count(),
        2,
        "it is reused"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_killed_in_mid_rollout_resumes_it() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    world.set_tag("1.1.0");
    let rollout = world
        .until("under way", |status| status.rollout.is_some())
        .await
        .rollout
        .unwrap();
    world.kill_daemon().await;
    let resumed = world
        .until("followed again or done", |status| {
            status.phase != Phase::Unknown
        })
        .await;
    if let Some(resumed) = resumed.rollout {
        assert_eq!(resumed.deployment, rollout.deployment);
    }
    world.until("rolled out", runs("1.1.0")).await;
    world.resyncs(2).await;
    let writes = world.daemon_writes().await;
    assert_eq!(
        writes
            .iter()
            .filter(|call| call.operation == "UpdateService")
            .count(),
        1,
        "{writes:#?}"
    );
    let described = world
        .ecs()
        .describe_services()
        .cluster("evenkeel")
        .services("api")
        .send()
        .await
        .unwrap();
    assert_eq!(
        described.services()[0].deployments()[0].id(),
        Some(rollout.deployment.as_str())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_hand_changes_is_named_and_repaired_within_a_resync() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    let ecs = world.ecs();
    let change = ecs.update_service().cluster("evenkeel").service("api");
    change
        .desired_count(3)
        .health_check_grace_period_seconds(300)
        .send()
        .await
        .unwrap();
    world.resyncs(1).await;
    let described = ecs
        .describe_services()
        .cluster("evenkeel")
        .services("api")
        .send()
        .await
        .unwrap();
    let service = &described.services()[0];
    assert_eq!(
        (
            service.desired_count(),
            service.health_check_grace_period_seconds()
        ),
        (2, Some(30))
    );
    let events = world.events().await;
    let drift = events
        .iter()
        .find(|event| event.kind == Kind::Drift)
        .unwrap();
    let mut changes: Vec<_> = drift
        .changes
        .iter()
        .map(|change| {
            (
                change.path.as_str(),
                change.desired.clone(),
                change.live.clone(),
            )
        })
        .collect();
    changes.sort_by_key(|(path, ..)| *path);
    assert_eq!(
        changes,
        [
            ("service.desiredCount", json!(2), json!(3)),
            (
                "service.healthCheckGracePeriodSeconds",
                json!(30),
                json!(300)
            ),
        ],
        "looked at every {RESYNC} s"
    );
    world.until("in sync", runs("1.0.0")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_does_what_plan_shows() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    // Another service of the same kind, without the load balancer that the first one has, which the daemon never sees.
    let text = std::fs::read_to_string(world.manifest()).unwrap();
    let mut manifest = text
        .replacen("  name: api ", "  name: other ", 1)
        .replace("/ecs/api", "/ecs/other");
    manifest = without_key(&manifest, "loadBalancers:");
    manifest = without_key(&manifest, "healthCheckGracePeriodSeconds:");
    manifest = without_key(&manifest, "targetHealth:");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.yaml");
    let by_hand = async |command: &[&str]| {
        let output = world
            .evenkeel("by-hand", &[command, &[path.to_str().unwrap()]].concat())
            .await;
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let mut done = 0;
    for edit in [
        ("", ""),
        ("tag: \"1.0.0\"", "tag: \"1.1.0\""),
        ("desiredCount: ${values.api_tasks}", "desiredCount: 1"),
    ] {
        manifest = manifest.replace(edit.0, edit.1);
        std::fs::write(&path, &manifest).unwrap();
        let (code, planned, said) = by_hand(&["plan", "-o", "json"]).await;
        assert_eq!(code, Some(0), "{said}");
        let (code, applied, said) = by_hand(&["apply", "-o", "json"]).await;
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(planned, applied);

        let planned: Value = serde_json::from_str(&planned).unwrap();
        let steps = planned[0]["steps"].as_array().unwrap();
        assert!(!steps.is_empty());
        let mut writes = world.journal().await;
        writes.retain(|call| call.write && call.caller == "by-hand");
        let made = &writes[done..];
        done = writes.len();
        assert_eq!(made.len(), steps.len(), "{made:#?}");
        for (step, call) in steps.iter().zip(made) {
            assert_eq!(
                (step["operation"].as_str(), "OK"),
                (Some(call.operation.as_str()), call.code.as_str())
            );
            let mut input = call.input.clone();
            if step["input"]["taskDefinition"] == evenkeel::plan::REGISTERED {
                assert!(
                    input["taskDefinition"]
                        .as_str()
                        .unwrap()
                        .contains(":task-definition/evenkeel-other:")
                );
                input["taskDefinition"] = json!(evenkeel::plan::REGISTERED);
            }
            assert_eq!(step["input"], input);
        }
        let (_, rest, _) = by_hand(&["plan"]).await;
        assert_eq!(rest, "Plan: 0 to change, 0 to create, 1 in sync.\n");
    }
}

/// A manifest without a member and everything below it.
pub(crate) fn without_key(text: &str, key: &str) -> String {
    let mut kept = String::new();
    let mut below = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if below.is_some_and(|outer| indent > outer || line.trim().is_empty()) {
            continue;
        }
        below = line.trim_start().starts_with(key).then_some(indent);
        if below.is_none() {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_are_there_under_their_names_from_the_start() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    let page = get(&format!("{}/metrics", world.endpoints.daemon)).await;
    let text = String::from_utf8(page.body().to_vec()).unwrap();
    for line in [
        concat!(
            r#"evenkeel_build_info{version=""#,
            env!("CARGO_PKG_VERSION"),
            r#""} 1"#
        ),
        r#"evenkeel_reconcile_total{result="error"}"#,
        "evenkeel_reconcile_duration_seconds_count",
        "evenkeel_workqueue_depth ",
        "evenkeel_workqueue_longest_running_seconds ",
        "evenkeel_leader 1",
        r#"evenkeel_service_phase{cluster="evenkeel",phase="Synced",service="api"} 1"#,
        r#"evenkeel_service_phase{cluster="evenkeel",phase="Held",service="api"} 0"#,
        r#"evenkeel_service_desired_tasks{cluster="evenkeel",service="api"} 2"#,
        r#"evenkeel_service_running_tasks{cluster="evenkeel",service="api"} 2"#,
        r#"evenkeel_service_healthy_targets{cluster="evenkeel",service="api"} 2"#,
        r#"evenkeel_service_last_success_timestamp_seconds{cluster="evenkeel",service="api"}"#,
        r#"evenkeel_drift_total{cluster="evenkeel",kind="target_health",service="api"} 0"#,
        r#"evenkeel_rollouts_total{cluster="evenkeel",outcome="completed",service="api"} 1"#,
        r#"evenkeel_rollouts_total{cluster="evenkeel",outcome="rolled_back",service="api"} 0"#,
        r#"evenkeel_rollout_duration_seconds_count{outcome="completed"} 1"#,
        "evenkeel_manifest_errors 0",
        "evenkeel_resync_seconds ",
        r#"evenkeel_aws_requests_total{code="OK",operation="DescribeServices",service="ecs"}"#,
        r#"evenkeel_aws_request_duration_seconds_count{operation="DescribeServices",service="ecs"}"#,
        r#"evenkeel_aws_budget_wait_seconds_total{bucket="service_read"}"#,
    ] {
        assert!(
            text.lines().any(|said| said.starts_with(line)),
            "{line} is not in\n{text}"
        );
    }
}
