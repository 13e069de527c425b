//! A server that none of us wrote: moto takes every request of creating, editing and repairing, and a second pass changes
//! nothing. moto runs no tasks, so nothing here is about rollouts. What it does otherwise than AWS is in tests/README.md.

use std::process::Output;

use serde_json::{Value, json};

use crate::{
    moto::{BY_HAND, Daemon, Moto, until},
    world::DAEMON,
};

const IN_SYNC: &str = "Plan: 0 to change, 0 to create, 1 in sync.\n";

/// Everything that Evenkeel could have changed.
const STATE: &str = "
definitions = [ecs.describe_task_definition(taskDefinition=arn, include=['TAGS'])
               for status in ('ACTIVE', 'INACTIVE') for arn in ecs.list_task_definitions(status=status)['taskDefinitionArns']]
groups = logs.describe_log_groups()['logGroups']
say({'services': ecs.list_services(cluster='evenkeel')['serviceArns'], 'service': service(),
     'definitions': [[one['taskDefinition'], one['tags']] for one in definitions], 'groups': groups,
     'groupTags': [logs.list_tags_for_resource(resourceArn=group['logGroupArn'])['tags'] for group in groups]})
";

/// What a manifest decides.
const DECIDED: &str = "
s = service()
definition = ecs.describe_task_definition(taskDefinition=s['taskDefinition'])['taskDefinition']
container = definition['containerDefinitions'][0]
say({'count': s['desiredCount'], 'grace': s['healthCheckGracePeriodSeconds'], 'deployment': s['deploymentConfiguration'],
     'network': s['networkConfiguration'], 'image': container['image'].split('@')[1], 'environment': container['environment'],
     'tags': {t['key']: t['value'] for t in s['tags'] if not t['key'].startswith('evenkeel:')},
     'retention': [group.get('retentionInDays') for group in logs.describe_log_groups()['logGroups']]})
";

impl Moto {
    /// Applies the manifest, waiting until all is as it says; the writes that took.
    async fn apply(&self) -> Vec<String> {
        let before = self.writes(BY_HAND).len();
        let applied = self.evenkeel(&["apply", "--timeout", "60"]).await;
        assert!(applied.status.success(), "{}", said(&applied));
        self.writes(BY_HAND).split_off(before)
    }

    /// The plan for the one service.
    async fn plan(&self) -> Value {
        let planned = self.evenkeel(&["plan", "-o", "json"]).await;
        assert!(planned.status.success(), "{}", said(&planned));
        let mut plans: Value = serde_json::from_slice(&planned.stdout).unwrap();
        plans[0].take()
    }

    /// Neither `plan` nor `apply` finds anything to do, and moto is as it was.
    async fn rests(&self) {
        let before = (self.boto3(STATE).await, self.writes(BY_HAND));
        let planned = self.evenkeel(&["plan", "--exit-code"]).await;
        let text = said(&planned);
        assert!(
            planned.status.success() && text.ends_with(IN_SYNC),
            "{text}"
        );
        assert_eq!(self.apply().await, [""; 0]);
        assert_eq!((self.boto3(STATE).await, self.writes(BY_HAND)), before);
    }

    /// The daemon looks three times more, and moto is as it was.
    async fn rests_under(&self, daemon: &Daemon) {
        daemon.until_synced().await;
        let before = (self.boto3(STATE).await, self.writes(DAEMON));
        let looks = || {
            let operations = self.operations(DAEMON);
            let looks = operations.iter().filter(|name| *name == "DescribeServices");
            looks.count()
        };
        let seen = looks();
        // One more than asked for: the last one has only begun.
        until("it has looked", async || (looks() > seen + 3).then_some(())).await;
        assert_eq!((self.boto3(STATE).await, self.writes(DAEMON)), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_is_taken_and_what_is_applied_rests() {
    let moto = Moto::start(&["--deployments"]).await;
    let created = moto.apply().await;
    // The last is moto's doing: what it drops when a service is created, it keeps when that is updated.
    let all =
        "CreateLogGroup PutRetentionPolicy RegisterTaskDefinition CreateService UpdateService";
    assert_eq!(created.join(" "), all);
    let decided = moto.boto3(DECIDED).await;
    assert_eq!(decided["grace"], 30);
    assert_eq!(
        decided["environment"],
        json!([{"name": "RUST_LOG", "value": "info"}])
    );
    assert_eq!(decided["tags"], json!({"app": "api"}));
    assert_eq!(decided["retention"], json!([14]));
    moto.rests().await;

    moto.edit(&[
        ("tag: \"1.0.0\"", "tag: \"1.1.0\""),
        ("value: info", "value: debug"),
        ("desiredCount: 2", "desiredCount: 3"),
    ]);
    let edited = moto.apply().await;
    assert_eq!(
        edited.join(" "),
        "RegisterTaskDefinition UpdateService TagResource"
    );
    let mut expected = decided.clone();
    expected["count"] = json!(3);
    expected["environment"] = json!([{"name": "RUST_LOG", "value": "debug"}]);
    let decided = moto.boto3(DECIDED).await;
    assert_ne!(decided["image"], expected["image"]);
    expected["image"] = decided["image"].clone();
    assert_eq!(decided, expected);
    moto.rests().await;

    moto.edit(&[
        ("{app: api}", "{}"),
        (", retentionInDays: 14", ""),
        ("keepRevisions: 10", "keepRevisions: 1"),
        ("value: debug", "value: warn"),
    ]);
    let mut less = moto.apply().await;
    let all =
        "DeleteRetentionPolicy RegisterTaskDefinition UpdateService UntagResource TagResource";
    // Old definitions are given up once the new one runs.
    less.extend(moto.apply().await);
    assert_eq!(less.join(" "), format!("{all} DeregisterTaskDefinition"));
    let decided = moto.boto3(DECIDED).await;
    assert_eq!(decided["tags"], json!({}));
    assert_eq!(decided["retention"], json!([null]));
    moto.rests().await;
    assert_eq!(moto.refused(), [""; 0]);
}

/// What another hand does, the difference that it makes, and the writes that repair it.
const DRIFT: &[(&str, &str, &str)] = &[
    (
        "ecs.update_service(cluster='evenkeel', service='api', healthCheckGracePeriodSeconds=99)",
        "service.healthCheckGracePeriodSeconds",
        "UpdateService",
    ),
    (
        "ecs.update_service(cluster='evenkeel', service='api', desiredCount=5)",
        "service.desiredCount",
        "UpdateService",
    ),
    (
        "network = service()['networkConfiguration']
network['awsvpcConfiguration']['subnets'].pop()
ecs.update_service(cluster='evenkeel', service='api', networkConfiguration=network)",
        "service.networkConfiguration.awsvpcConfiguration.subnets",
        "UpdateService",
    ),
    (
        "ecs.tag_resource(resourceArn=service()['serviceArn'], tags=[{'key': 'app', 'value': 'theirs'}])",
        "service.tags[app]",
        "TagResource",
    ),
    (
        "logs.put_retention_policy(logGroupName='/ecs/api', retentionInDays=3)",
        "logGroup.retentionInDays",
        "PutRetentionPolicy",
    ),
    (
        "definition = ecs.describe_task_definition(taskDefinition=service()['taskDefinition'])['taskDefinition']
for key in ('taskDefinitionArn', 'revision', 'status', 'compatibilities', 'registeredAt', 'registeredBy'):
    definition.pop(key, None)
definition['containerDefinitions'][0]['stopTimeout'] = 7
theirs = ecs.register_task_definition(**definition)['taskDefinition']['taskDefinitionArn']
ecs.update_service(cluster='evenkeel', service='api', taskDefinition=theirs)",
        "taskDefinition.containerDefinitions[api].stopTimeout",
        "UpdateService",
    ),
    (
        "logs.delete_log_group(logGroupName='/ecs/api')",
        "logGroup.name",
        "CreateLogGroup PutRetentionPolicy",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_drift_is_named_and_repaired_by_its_own_write() {
    let moto = Moto::start(&["--deployments"]).await;
    moto.apply().await;
    let good = moto.boto3(DECIDED).await;
    for (program, path, writes) in DRIFT {
        moto.boto3(program).await;
        let plan = moto.plan().await;
        let differences = plan["differences"].as_array().unwrap();
        let paths: Vec<_> = differences.iter().map(|one| &one["path"]).collect();
        assert_eq!(
            json!([plan["cause"], paths]),
            json!(["drift", [path]]),
            "{plan:#}"
        );
        assert_eq!(moto.apply().await.join(" "), *writes, "{program}");
        assert_eq!(moto.boto3(DECIDED).await, good, "{program}");
    }
    moto.rests().await;
    assert_eq!(moto.refused(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_creates_repairs_and_writes_nothing_while_all_is_well() {
    let moto = Moto::start(&["--deployments"]).await;
    let daemon = moto.daemon().await;
    moto.rests_under(&daemon).await;
    let good = moto.boto3(DECIDED).await;
    assert_eq!(good["count"], 2);
    let before = moto.writes(DAEMON).len();
    for (program, _, _) in &DRIFT[2..6] {
        moto.boto3(program).await;
    }
    until("moto is as the manifest says", async || {
        (moto.boto3(DECIDED).await == good).then_some(())
    })
    .await;
    moto.rests_under(&daemon).await;
    let repairs = moto.writes(DAEMON).split_off(before);
    for write in ["UpdateService", "TagResource", "PutRetentionPolicy"] {
        assert!(repairs.iter().any(|one| one == write), "{repairs:?}");
    }
    daemon.stop().await;
    assert_eq!(moto.refused(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_moto_cannot_say_is_unknown_and_nothing_is_written() {
    let moto = Moto::start(&[]).await;
    moto.apply().await;
    moto.rests().await;
    moto.edit(&[
        ("tag: \"1.0.0\"", "tag: \"1.1.0\""),
        ("desiredCount: 2", "desiredCount: 3"),
    ]);
    let before = (moto.boto3(STATE).await, moto.writes(BY_HAND));
    let applied = moto.evenkeel(&["apply"]).await;
    assert_eq!(applied.status.code(), Some(1), "{}", said(&applied));
    assert!(
        said(&applied).contains("ecs:ListServiceDeployments"),
        "{}",
        said(&applied)
    );
    assert_eq!((moto.boto3(STATE).await, moto.writes(BY_HAND)), before);
    assert!(!moto.refused().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_moto_has_is_described_verified_and_deleted() {
    let moto = Moto::start(&["--deployments"]).await;
    moto.apply().await;
    let verified = moto.evenkeel(&["verify"]).await;
    assert!(verified.status.success(), "{}", said(&verified));
    let file = moto.manifest();
    let init = ["init", "--from-service", "api", "--cluster", "evenkeel"];
    let described = moto.evenkeel(&init).await;
    assert!(described.status.success(), "{}", said(&described));
    std::fs::write(&file, &described.stdout).unwrap();
    let plan = moto.plan().await;
    assert_eq!(
        plan["differences"],
        json!([]),
        "{plan:#}\n{}",
        said(&described)
    );

    let delete = ["delete", "api", "--cluster", "evenkeel", "--yes"];
    let other = file.with_file_name("other.yaml");
    let text = String::from_utf8(described.stdout).unwrap();
    std::fs::write(other, text.replace("  name: api\n", "  name: other\n")).unwrap();
    std::fs::remove_file(file).unwrap();
    let deleted = moto.evenkeel(&delete).await;
    assert!(deleted.status.success(), "{}", said(&deleted));
    assert_eq!(moto.boto3("say(service()['status'])").await, "INACTIVE");
    assert_eq!(moto.refused(), [""; 0]);
}

fn said(output: &Output) -> String {
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(stderr),
        String::from_utf8_lossy(stdout)
    )
}
