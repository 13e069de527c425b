//! What another hand changes: repaired, only reported, or left alone, as the manifest says.

use std::collections::BTreeMap;

use evenkeel::{
    diff::Difference,
    event::Kind,
    status::{Phase, ServiceStatus},
};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use crate::world::{PATIENCE, World};

fn runs(tag: &'static str) -> impl Fn(&ServiceStatus) -> bool {
    move |status| {
        status.phase == Phase::Synced && status.image.as_ref().is_some_and(|image| image.tag == tag)
    }
}

/// Path to desired and live value.
fn named(changes: &[Difference]) -> Named {
    changes
        .iter()
        .map(|change| {
            let values = (change.desired.clone(), change.live.clone());
            (change.path.clone(), values)
        })
        .collect()
}

type Named = BTreeMap<String, (Value, Value)>;

/// The fields of every drift that was told.
async fn drifts(world: &World) -> Vec<Named> {
    let mut events = world.events().await;
    events.retain(|event| event.kind == Kind::Drift);
    events.iter().map(|event| named(&event.changes)).collect()
}

/// Waits until these fields have been told, and no others.
async fn until_told(world: &World, expected: Named) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told: Named = drifts(world).await.into_iter().flatten().collect();
        if told == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{told:#?} is not {expected:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What must be again as it was.
const STATE: &str = "
s = service()
say({'network': s['networkConfiguration'], 'deployment': s['deploymentConfiguration'],
     'grace': s['healthCheckGracePeriodSeconds'], 'tags': sorted((t['key'], t['value']) for t in s['tags']),
     'definition': s['taskDefinition'],
     'retention': logs.describe_log_groups(logGroupNamePrefix='/ecs/api')['logGroups'][0]['retentionInDays']})
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_that_another_hand_changes_is_named_and_repaired_within_a_resync() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    let before = world.boto3(STATE).await;
    world
        .boto3(
            "
arn = service()['serviceArn']
ecs.update_service(cluster='evenkeel', service='api', healthCheckGracePeriodSeconds=77,
                   deploymentConfiguration={'minimumHealthyPercent': 50, 'maximumPercent': 150})
ecs.tag_resource(resourceArn=arn, tags=[{'key': 'app', 'value': 'theirs'}, {'key': 'their-own', 'value': 'stays'}])
logs.put_retention_policy(logGroupName='/ecs/api', retentionInDays=3)
",
        )
        .await;
    // What is not ours stays.
    let mut expected = before.clone();
    let tags = expected["tags"].as_array_mut().unwrap();
    tags.push(json!(["their-own", "stays"]));
    world.until_boto3_says(STATE, &expected).await;
    let percent = |name: &str| format!("service.deploymentConfiguration.{name}");
    until_told(
        &world,
        BTreeMap::from([
            (
                "service.healthCheckGracePeriodSeconds".to_owned(),
                (json!(30), json!(77)),
            ),
            (percent("minimumHealthyPercent"), (json!(100), json!(50))),
            (percent("maximumPercent"), (json!(200), json!(150))),
            (
                "service.tags[app]".to_owned(),
                (json!("api"), json!("theirs")),
            ),
            ("logGroup.retentionInDays".to_owned(), (json!(14), json!(3))),
        ]),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_by_another_hand_is_superseded_at_once() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    let before = world.boto3(STATE).await;
    let theirs = world
        .boto3(
            "
definition = ecs.describe_task_definition(taskDefinition=service()['taskDefinition'])['taskDefinition']
for key in ('taskDefinitionArn', 'revision', 'status', 'requiresAttributes', 'compatibilities', 'registeredAt', 'registeredBy'):
    definition.pop(key, None)
definition['containerDefinitions'][0]['stopTimeout'] = 7
definition['memory'] = '1024'
new = ecs.register_task_definition(**definition)['taskDefinition']['taskDefinitionArn']
network = service()['networkConfiguration']
network['awsvpcConfiguration']['securityGroups'] = ['sg-0123456789abcdef0']
ecs.update_service(cluster='evenkeel', service='api', taskDefinition=new, networkConfiguration=network)
say(new)
",
        )
        .await;
    world.until_boto3_says(STATE, &before).await;
    let primary = world.boto3("say(service()['deployments'][0])").await;
    assert_eq!(primary["taskDefinition"], before["definition"]);
    until_told(
        &world,
        BTreeMap::from([
            (
                "taskDefinition.containerDefinitions[api].stopTimeout".to_owned(),
                (json!(30), json!(7)),
            ),
            (
                "taskDefinition.memory".to_owned(),
                (json!("512"), json!("1024")),
            ),
            (
                "service.networkConfiguration.awsvpcConfiguration.securityGroups".to_owned(),
                (
                    json!(["sg-0c3a9e5d7f1b28460"]),
                    json!(["sg-0123456789abcdef0"]),
                ),
            ),
        ]),
    )
    .await;
    world.until("in sync", runs("1.0.0")).await;
    let left = world.boto3("say(service()['deployments'])").await;
    assert_eq!(
        left.as_array().unwrap().len(),
        1,
        "{theirs} has gone: {left}"
    );
    let updates = world.daemon_writes().await;
    let updates = updates
        .iter()
        .filter(|call| call.operation == "UpdateService");
    assert_eq!(updates.count(), 1, "one update for all of it");
}

/// A grace period of 77 s, by another hand.
const CHANGE_GRACE: &str =
    "ecs.update_service(cluster='evenkeel', service='api', healthCheckGracePeriodSeconds=77)";
const GRACE: &str = "say(service()['healthCheckGracePeriodSeconds'])";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_that_is_only_to_be_reported_is_left_alone_while_an_edit_rolls_out() {
    let report = |manifest: &mut String| {
        *manifest = manifest.replace("drift: {policy: enforce}", "drift: {policy: report}");
    };
    let world = World::start_with(report).await;
    world.until("in sync", runs("1.0.0")).await;
    let written = world.daemon_writes().await.len();
    world.boto3(CHANGE_GRACE).await;
    let grace = "service.healthCheckGracePeriodSeconds".to_owned();
    let expected = BTreeMap::from([(grace, (json!(30), json!(77)))]);
    let told = world
        .until("told", |status| named(&status.drift) == expected)
        .await;
    assert_eq!(told.phase, Phase::Degraded, "{told:#?}");
    world.resyncs(2).await;
    assert_eq!(world.boto3(GRACE).await, 77);
    assert_eq!(world.daemon_writes().await.len(), written);
    assert_eq!(drifts(&world).await, [expected], "told once");

    world.set_tag("1.1.0");
    world.until("rolled out", runs("1.1.0")).await;
    assert_eq!(
        world.boto3(GRACE).await,
        30,
        "an edit is the whole manifest"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_service_is_left_alone_until_it_is_resumed() {
    let world = World::start().await;
    world.until("in sync", runs("1.0.0")).await;
    world.edit("suspend: false", "suspend: INC-812");
    let suspended = world
        .until("suspended", |status| status.phase == Phase::Suspended)
        .await;
    assert!(suspended.message.contains("INC-812"), "{suspended:#?}");
    let written = world.daemon_writes().await.len();
    world.boto3(CHANGE_GRACE).await;
    world.set_tag("1.1.0");
    world.resyncs(2).await;
    assert_eq!(world.boto3(GRACE).await, 77);
    assert_eq!(world.daemon_writes().await.len(), written);
    let still = world.status().await.unwrap();
    assert_eq!(still.phase, Phase::Suspended, "{still:#?}");

    world.edit("suspend: INC-812", "suspend: false");
    world.until("resumed", runs("1.1.0")).await;
    assert_eq!(world.boto3(GRACE).await, 30);
}
