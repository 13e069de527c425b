//! What the plan decides, tested with values.

mod health;
mod held;
mod images;
mod labels;
mod left_alone;
mod overdue;
mod reasons;
mod revisions;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    desired::{Desired, Settings},
    diff::Difference,
    document::Document,
    manifest::{self, Manifest, Options, References},
    normal::Form,
    observed::{Image, LiveService, LogGroup, Observed, Pinned, Revision},
    plan::{Blocked, Cause, Lessons, Plan, REGISTERED, Step, Write, needs_history, plan},
    tags,
};

const ARN: &str = "arn:aws:ecs:us-east-1:123456789012:service/prod/api";

const MANIFEST: &str = r#"
apiVersion: evenkeel/v1
kind: Service
metadata: {name: api, labels: {team: shop}}
spec:
  cluster: prod
  image: {repository: 123456789012.dkr.ecr.us-east-1.amazonaws.com/api, tag: "1.0.0"}
  service:
    desiredCount: 2
    launchType: FARGATE
    networkConfiguration: {awsvpcConfiguration: {subnets: [subnet-a, subnet-b], securityGroups: [sg-1]}}
    deploymentConfiguration: {deploymentCircuitBreaker: {enable: true, rollback: true}}
  taskDefinition:
    cpu: "256"
    memory: "512"
    networkMode: awsvpc
    requiresCompatibilities: [FARGATE]
    containerDefinitions:
      - {name: api, image: "${image}", portMappings: [{containerPort: 80}], environment: [{name: RUST_LOG, value: info}]}
  logGroup: {name: /ecs/api, retentionInDays: 14}
"#;

fn manifest_with(change: impl Fn(String) -> String) -> Arc<Manifest> {
    let references = References::new(Some("{}"), []).unwrap();
    let (mut manifests, problems) = manifest::parse_file(
        "api.yaml",
        &change(MANIFEST.to_owned()),
        &references,
        Options::default(),
    );
    assert!(
        problems.iter().all(|problem| !problem.is_error()),
        "{problems:?}"
    );
    Arc::new(manifests.remove(0))
}

fn manifest() -> Arc<Manifest> {
    manifest_with(|text| text)
}

fn image(digest: &str) -> Image {
    let reference = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/api@sha256:{digest}");
    Image::Resolved {
        reference,
        digest: Some(format!("sha256:{digest}")),
    }
}

fn settings() -> Settings {
    Settings {
        owner: "me".to_owned(),
        form: Form::current(),
    }
}

fn desired(manifest: &Arc<Manifest>, digest: &str) -> Desired {
    Desired::new(Arc::clone(manifest), &settings(), &image(digest))
}

fn object(value: Value) -> Document {
    value.as_object().unwrap().clone()
}

/// A revision as AWS returns it: with what it fills in.
fn revision(desired: &Desired, number: u32) -> Revision {
    let mut document = desired.definition.clone().unwrap();
    let arn = format!("arn:aws:ecs:us-east-1:123456789012:task-definition/prod-api:{number}");
    document.insert("taskDefinitionArn".to_owned(), json!(arn));
    document.insert("revision".to_owned(), json!(number));
    document.insert("status".to_owned(), json!("ACTIVE"));
    document.insert("volumes".to_owned(), json!([]));
    document["containerDefinitions"][0]["cpu"] = json!(0);
    document["containerDefinitions"][0]["essential"] = json!(true);
    document["containerDefinitions"][0]["mountPoints"] = json!([]);
    document["containerDefinitions"][0]["portMappings"] =
        json!([{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]);
    Revision {
        document,
        tags: desired.definition_tags(),
    }
}

/// A service as AWS returns it: running `revision`, in a steady state, tagged as matched.
fn service(desired: &Desired, revision: &Revision) -> LiveService {
    let deployment = json!({
        "id": "ecs-svc/0123456789012345678", "status": "PRIMARY", "taskDefinition": revision.arn(),
        "rolloutState": "COMPLETED", "desiredCount": 2, "runningCount": 2, "pendingCount": 0, "failedTasks": 0,
    });
    LiveService(object(json!({
        "serviceArn": ARN, "serviceName": "api", "status": "ACTIVE", "taskDefinition": revision.arn(),
        "desiredCount": 2, "runningCount": 2, "pendingCount": 0, "launchType": "FARGATE", "platformVersion": "LATEST",
        "schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"}, "propagateTags": "SERVICE",
        "healthCheckGracePeriodSeconds": 0, "availabilityZoneRebalancing": "ENABLED", "loadBalancers": [],
        "networkConfiguration": {"awsvpcConfiguration":
            {"subnets": ["subnet-b", "subnet-a"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}},
        "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING",
            "bakeTimeInMinutes": 0, "deploymentCircuitBreaker": {"enable": true, "rollback": true,
                "resetOnHealthyTask": true, "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50}}},
        "deployments": [deployment], "tags": tags::to_list(&desired.service_tags()),
    })))
}

/// Everything as it should be.
fn in_sync(desired: &Desired) -> Observed {
    let revision = revision(desired, 1);
    Observed {
        service: Some(service(desired, &revision)),
        definition: Some(revision),
        revisions: Vec::new(),
        history: Vec::new(),
        log_group: LogGroup::Present {
            retention_in_days: Some(14),
            owner: None,
        },
        image: image("1"),
        targets: None,
        progress: None,
        unhealthy_since: None,
        rival: None,
        aws_time: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn not_taken(remaining: Vec<Difference>) -> Lessons {
    let mut lessons = Lessons::default();
    lessons.note_not_taken(remaining);
    lessons
}

fn with_service(mut observed: Observed, change: impl Fn(&mut Value)) -> Observed {
    let mut service = Value::Object(observed.service.take().unwrap().0);
    change(&mut service);
    observed.service = Some(LiveService(object(service)));
    observed
}

fn operations(plan: &Plan) -> Vec<&str> {
    plan.steps
        .iter()
        .map(|step| step.operation.name())
        .collect()
}

#[test]
fn what_matches_needs_nothing() {
    let desired = desired(&manifest(), "1");
    assert_eq!(
        plan(&desired, &in_sync(&desired), &Lessons::default()),
        Plan::default()
    );
}

#[test]
fn what_is_missing_is_created_in_order_and_once() {
    let desired = desired(&manifest(), "1");
    let nothing = Observed {
        service: None,
        definition: None,
        log_group: LogGroup::Missing,
        ..in_sync(&desired)
    };
    let first = plan(&desired, &nothing, &Lessons::default());
    assert_eq!(
        operations(&first),
        [
            "CreateLogGroup",
            "PutRetentionPolicy",
            "RegisterTaskDefinition",
            "CreateService"
        ]
    );
    assert_eq!(first.steps[3].input["taskDefinition"], REGISTERED);
    assert_eq!(first.steps[3].input["desiredCount"], 2);
    let of_log_group = first
        .steps
        .iter()
        .map(|one| one.operation.is_of_log_group());
    assert!(of_log_group.eq([true, true, false, false]));
    // The service must be as it was planned for.
    let of_service = first.steps.iter().map(Step::changes_service);
    assert!(of_service.eq([false, false, false, true]));
    // The reply was lost: the revision is there, and is used.
    let registered = Observed {
        revisions: vec![revision(&desired, 1)],
        ..nothing
    };
    assert_eq!(
        operations(&plan(&desired, &registered, &Lessons::default())),
        ["CreateLogGroup", "PutRetentionPolicy", "CreateService"]
    );
}

#[test]
fn a_service_begins_with_the_count_of_its_manifest() {
    for (count, initial, tasks) in [
        ("    desiredCount: 3\n", "", 3),
        ("", "  initialCount: 4\n", 4),
        ("", "", 1),
    ] {
        let manifest = manifest_with(|text| text.replace("    desiredCount: 2\n", count) + initial);
        let desired = desired(&manifest, "1");
        let nothing = Observed {
            service: None,
            definition: None,
            ..in_sync(&desired)
        };
        let plan = plan(&desired, &nothing, &Lessons::default());
        assert_eq!(
            plan.steps[1].input["desiredCount"], tasks,
            "{count}{initial}"
        );
    }
}

#[test]
fn an_edited_tag_registers_and_updates() {
    let before = desired(&manifest(), "1");
    let after = desired(&manifest_with(|text| text.replace("1.0.0", "1.1.0")), "2");
    let plan = plan(&after, &in_sync(&before), &Lessons::default());
    assert_eq!(plan.cause, Some(Cause::Edit));
    assert_eq!(
        operations(&plan),
        ["RegisterTaskDefinition", "UpdateService", "TagResource"]
    );
    assert_eq!(
        plan.differences[0].path,
        "taskDefinition.containerDefinitions[api].image"
    );
    assert_eq!(
        plan.steps[1].input.keys().collect::<Vec<_>>(),
        ["cluster", "service", "taskDefinition"]
    );
    assert!(plan.mended().eq(&plan.differences));
}

#[test]
fn drift_is_repaired_field_by_field_with_defaults_sent_explicitly() {
    let desired = desired(&manifest(), "1");
    let drifted = with_service(in_sync(&desired), |service| {
        service["desiredCount"] = json!(5);
        service["healthCheckGracePeriodSeconds"] = json!(300);
        service["deploymentConfiguration"]["maximumPercent"] = json!(150);
    });
    let plan = plan(&desired, &drifted, &Lessons::default());
    assert_eq!(plan.cause, Some(Cause::Drift));
    assert_eq!(operations(&plan), ["UpdateService"]);
    let input = &plan.steps[0].input;
    assert_eq!(
        (
            &input["desiredCount"],
            &input["healthCheckGracePeriodSeconds"]
        ),
        (&json!(2), &json!(0))
    );
    assert_eq!(input["deploymentConfiguration"]["maximumPercent"], 200);
    assert!(
        !input.contains_key("taskDefinition"),
        "what starts no deployment never carries a definition"
    );
}

#[test]
fn report_tells_of_drift_and_still_rolls_out_an_edit() {
    let report = manifest_with(|text| text + "  drift: {policy: report}\n");
    let reporting = desired(&report, "1");
    let drifted = with_service(in_sync(&reporting), |service| {
        service["desiredCount"] = json!(5)
    });
    let told = plan(&reporting, &drifted, &Lessons::default());
    assert_eq!((told.steps.len(), told.differences.len()), (0, 1));
    assert_eq!(told.blocked, [Blocked::ReportOnly]);

    let edited =
        manifest_with(|text| text.replace("1.0.0", "1.1.0") + "  drift: {policy: report}\n");
    assert!(plan(&desired(&edited, "2"), &drifted, &Lessons::default()).starts_deployment());
}

#[test]
fn a_removed_label_is_removed() {
    let before = desired(&manifest(), "1");
    let after = desired(
        &manifest_with(|text| text.replace(", labels: {team: shop}", "")),
        "1",
    );
    let plan = plan(&after, &in_sync(&before), &Lessons::default());
    let untag = plan
        .steps
        .iter()
        .find(|step| step.operation == Write::UntagResource)
        .unwrap();
    assert_eq!(untag.input["tagKeys"], json!(["team", tags::LABELS]));
}

#[test]
fn a_removed_list_is_sent_as_an_empty_one() {
    let desired = desired(&manifest(), "1");
    let balanced = with_service(in_sync(&desired), |service| {
        service["loadBalancers"] =
            json!([{"targetGroupArn": "arn", "containerName": "api", "containerPort": 80}]);
        service["deployments"][0]["volumeConfigurations"] =
            json!([{"name": "v", "managedEBSVolume": {"roleArn": "r", "sizeInGiB": 20}}]);
    });
    let plan = plan(&desired, &balanced, &Lessons::default());
    let input = &plan.steps[0].input;
    assert_eq!(
        (&input["loadBalancers"], &input["volumeConfigurations"]),
        (&json!([]), &json!([]))
    );
}

#[test]
fn what_changes_by_itself_does_not_make_a_plan_stale() {
    let desired = desired(&manifest(), "1");
    let before = in_sync(&desired).service.unwrap();
    let later = with_service(in_sync(&desired), |service| {
        service["runningCount"] = json!(1);
        service["currentServiceDeployment"] = json!("arn");
        service["currentServiceRevisions"] = json!([{"runningTaskCount": 1}]);
        service["events"] = json!([{"message": "m"}]);
        service["deployments"][0]["runningCount"] = json!(1);
    });
    assert_eq!(before.basis(), later.service.unwrap().basis());
    let edited = with_service(in_sync(&desired), |service| {
        service["desiredCount"] = json!(9)
    });
    assert_ne!(before.basis(), edited.service.unwrap().basis());
}

#[test]
fn the_past_is_asked_for_only_where_something_starts_or_has_failed() {
    let before = desired(&manifest(), "1");
    let after = desired(&manifest_with(|text| text.replace("1.0.0", "1.1.0")), "2");
    assert!(needs_history(&after, &in_sync(&before)));
    assert!(!needs_history(&before, &in_sync(&before)));
    let scaled = with_service(in_sync(&before), |service| {
        service["desiredCount"] = json!(5)
    });
    assert!(!needs_history(&before, &scaled));
}

#[test]
fn only_what_is_sent_counts_as_repaired() {
    let desired = desired(&manifest(), "1");
    let drifted = with_service(in_sync(&desired), |service| {
        service["launchType"] = json!("EC2");
        service["desiredCount"] = json!(5);
    });
    let plan = plan(&desired, &drifted, &Lessons::default());
    assert_eq!(plan.differences.len(), 2);
    let mended: Vec<_> = plan.mended().map(|one| one.path.as_str()).collect();
    assert_eq!(mended, ["service.desiredCount"]);
}
