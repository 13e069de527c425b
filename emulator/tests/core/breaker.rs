//! Rollouts that fail: the circuit breaker and the way back.

use std::time::Duration;

use serde_json::json;

use crate::world::World;

const LONG: Duration = Duration::from_secs(3600);

fn rolled_back(world: &mut World) -> bool {
    let newest = world.service_deployments()[0]["status"].clone();
    newest == "ROLLBACK_SUCCESSFUL"
}

#[test]
fn a_crashing_image_trips_at_three_and_goes_back_to_the_old_deployment() {
    let mut world = World::furnished();
    let before = world.deploy("good", 2);
    let old = before["deployments"][0]["id"].clone();
    world.floor = 2;
    let said = world.messages().len();
    let definition = world.register("crashes");
    let updated = world.update(json!({ "taskDefinition": definition }));
    let failed = updated["deployments"][0]["id"].as_str().unwrap().to_owned();

    let mut seen_failed = false;
    world.until(LONG, "rollback", |world| {
        assert!(world.served() >= 2);
        let service = world.service();
        for deployment in service["deployments"].as_array().unwrap() {
            if deployment["rolloutState"] == "FAILED" {
                seen_failed = true;
                assert_eq!(deployment["id"], json!(failed));
                assert_eq!(
                    deployment["rolloutStateReason"],
                    "ECS deployment circuit breaker: tasks failed to start."
                );
                let primary = &service["deployments"][0];
                assert_eq!(primary["id"], old);
                let reason = format!(
                    "ECS deployment circuit breaker: rolling back to deploymentId {}.",
                    old.as_str().unwrap()
                );
                assert_eq!(primary["rolloutStateReason"], json!(reason));
            }
        }
        rolled_back(world)
    });
    assert!(seen_failed);
    let service = world.service();
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"][0]["id"], old);
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(service["taskDefinition"], before["taskDefinition"]);

    let record = &world.service_deployments()[0];
    assert_eq!(
        record["deploymentCircuitBreaker"],
        json!({ "status": "TRIGGERED", "failureCount": 3, "threshold": 3 })
    );
    let digits = |id: &str| id.trim_start_matches("ecs-svc/").to_owned();
    assert!(
        record["targetServiceRevision"]["arn"]
            .as_str()
            .unwrap()
            .ends_with(&digits(&failed))
    );
    let target = record["rollback"]["serviceRevisionArn"].as_str().unwrap();
    assert!(target.ends_with(&digits(old.as_str().unwrap())));
    assert!(record["finishedAt"].as_f64() > record["rollback"]["startedAt"].as_f64());

    let messages: Vec<String> = world.messages().split_off(said);
    let position = |text: &str| {
        messages
            .iter()
            .position(|m| m == text)
            .unwrap_or_else(|| panic!("{text}: {messages:#?}"))
    };
    let broken =
        position("(service api) (deployment ecs-svc/N) deployment failed: tasks failed to start.");
    assert_eq!(
        position("(service api) rolling back to deployment ecs-svc/N."),
        broken + 1
    );
    let completed = position("(service api) (deployment ecs-svc/N) deployment completed.");
    assert_eq!(
        position("(service api) has reached a steady state."),
        completed + 1
    );
    assert!(completed > broken);
    let events = world.service()["events"].clone();
    let at = |text: &str| {
        let found = events
            .as_array()
            .unwrap()
            .iter()
            .find(|e| e["message"].as_str().unwrap().contains(text));
        found.unwrap()["createdAt"].as_f64().unwrap()
    };
    let gap = at("rolling back") - at("deployment failed");
    assert!((gap - 0.001).abs() < 0.0005, "{gap}");

    let crashed: Vec<_> = world
        .tasks("STOPPED")
        .into_iter()
        .filter(|t| t["stopCode"] == "EssentialContainerExited")
        .collect();
    assert!(crashed.len() >= 3);
    assert_eq!(
        crashed[0]["stoppedReason"],
        "Essential container in task exited"
    );
    assert_eq!(crashed[0]["containers"][0]["exitCode"], 1);
}

#[test]
fn an_unhealthy_image_is_rolled_back_by_its_health_checks() {
    let mut world = World::furnished();
    let old = world.deploy("good", 2)["deployments"][0]["id"].clone();
    world.floor = 2;
    let definition = world.register("unhealthy");
    world.update(json!({ "taskDefinition": definition }));
    world.until(LONG, "rollback", rolled_back);
    assert_eq!(world.service()["deployments"][0]["id"], old);
    let messages = world.messages();
    assert!(messages.contains(&"(service api) (task ID) (port 80) is unhealthy in (target-group ARN) due to (reason Health checks failed with these codes: [503]).".to_owned()), "{messages:#?}");
    let ill = world.tasks("STOPPED").into_iter().filter(|task| {
        task["stoppedReason"]
            .as_str()
            .unwrap()
            .starts_with("Task failed ELB health checks in (target-group arn:")
    });
    assert_eq!(ill.count(), 3);
}

#[test]
fn a_first_deployment_that_fails_has_nothing_to_go_back_to_and_stalls() {
    let mut world = World::furnished();
    let input = world.service_input("crashes", 2);
    world.ecs("CreateService", input);
    world.until(LONG, "the end", |world| {
        world.service_deployments()[0]["status"] == "ROLLBACK_FAILED"
    });
    let record = &world.service_deployments()[0];
    assert_eq!(
        record["statusReason"],
        "No rollback candidate was found to run the rollback."
    );
    assert_eq!(record["deploymentCircuitBreaker"]["status"], "TRIGGERED");
    world.pass(LONG);
    let service = world.service();
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"][0]["status"], "PRIMARY");
    assert_eq!(service["deployments"][0]["rolloutState"], "FAILED");
    assert_eq!(service["runningCount"], 0);
    assert_eq!(service["pendingCount"], 0);
    assert!(service.get("currentServiceDeployment").is_none());
    let starts = world.effects.len();
    world.pass(LONG);
    assert_eq!(
        world.effects.len(),
        starts,
        "a stalled deployment starts nothing"
    );

    let definition = world.register("good");
    world.update(json!({ "taskDefinition": definition }));
    world.until(LONG, "completion", World::completed);
}

#[test]
fn what_made_it_fail_is_not_forgotten_when_the_next_one_follows_at_once() {
    let mut world = World::furnished();
    let mut input = world.service_input("crashes", 1);
    input["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] = json!(false);
    world.ecs("CreateService", input);
    world.until(LONG, "the failure", |world| {
        world.service_deployments()[0]["status"] == "STOP_REQUESTED"
    });
    let definition = world.register("good");
    world.update(json!({ "taskDefinition": definition }));
    world.until(LONG, "completion", World::completed);
    let records = world.service_deployments();
    assert_eq!(records[1]["status"], "STOPPED");
    assert_eq!(
        records[1]["statusReason"],
        "Service deployment failed: tasks failed to start."
    );
}

#[test]
fn a_service_that_is_being_deleted_does_not_roll_back() {
    let mut world = World::furnished();
    world.deploy("good", 3);
    let definition = world.register("crashes");
    world.update(json!({ "taskDefinition": definition }));
    world.until(LONG, "starts", |world| {
        let service = world.service();
        service["deployments"][0]["runningCount"].as_u64() > Some(0)
            || service["deployments"][0]["failedTasks"].as_u64() > Some(0)
    });
    world.ecs(
        "DeleteService",
        json!({ "cluster": "main", "service": "api", "force": true }),
    );
    world.until(LONG, "the end", |world| {
        world.service()["status"] == "INACTIVE"
    });
    let messages = world.messages();
    assert!(
        messages.iter().all(|m| !m.contains("rolling back")),
        "{messages:#?}"
    );
}

#[test]
fn without_the_breaker_it_goes_on_trying() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    world.update(
        json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": false } } }),
    );
    let definition = world.register("crashes");
    world.update(json!({ "taskDefinition": definition }));
    world.floor = 1;
    world.pass(Duration::from_secs(900));
    let service = world.service();
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert!(service["deployments"][0]["failedTasks"].as_u64().unwrap() > 5);
    assert_eq!(
        world.service_deployments()[0]["deploymentCircuitBreaker"]["status"],
        "DISABLED"
    );
}

#[test]
fn a_deployment_that_starts_during_a_rollback_cannot_go_back() {
    let mut world = World::furnished();
    world.deploy("good", 2);
    let crashes = world.register("crashes");
    world.update(json!({ "taskDefinition": crashes }));
    world.until(LONG, "rolling back", |world| {
        world.service_deployments()[0]["status"] == "ROLLBACK_IN_PROGRESS"
    });
    world.update(json!({ "forceNewDeployment": true, "taskDefinition": crashes }));
    world.until(LONG, "the end", |world| {
        world.service_deployments()[0]["status"] == "ROLLBACK_FAILED"
    });
    assert_eq!(world.service()["deployments"][0]["rolloutState"], "FAILED");
    assert_eq!(world.served(), 2, "the old tasks stay");
}

#[test]
fn a_missing_image_backs_off_as_observed() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    world.floor = 1;
    let start = world.now;
    let definition = world.register("absent");
    world.update(json!({ "taskDefinition": definition }));
    world.until(LONG, "rollback", rolled_back);
    let minutes = world.now.duration_since(start).as_secs() / 60;
    assert!((9..=14).contains(&minutes), "{minutes} min; AWS took 11:44");
    assert_eq!(
        world.service_deployments()[0]["statusReason"],
        "Service deployment rolled back because the circuit breaker threshold was exceeded."
    );
    let messages = world.messages();
    let placement = messages.iter().filter(|m| m.starts_with("(service api) was unable to place a task. Reason: CannotPullContainerError: pull image manifest has been retried"));
    assert_eq!(placement.count(), 1, "{messages:#?}");
    assert!(
        messages.contains(
            &"(service api) is unable to consistently start tasks successfully.".to_owned()
        )
    );
    let failed = world
        .tasks("STOPPED")
        .into_iter()
        .find(|t| t["stopCode"] == "TaskFailedToStart")
        .unwrap();
    assert!(
        failed["stoppedReason"]
            .as_str()
            .unwrap()
            .ends_with("/api:absent: not found")
    );
}

#[test]
fn a_process_that_cannot_be_started_counts_too() {
    let mut world = World::furnished();
    let old = world.deploy("good", 1)["deployments"][0]["id"].clone();
    let definition = world.register("unstartable");
    world.update(json!({ "taskDefinition": definition }));
    world.until(LONG, "rollback", rolled_back);
    assert_eq!(world.service()["deployments"][0]["id"], old);
}
