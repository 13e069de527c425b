//! What an edit takes out of the manifest goes from AWS, too: labels, the logs' retention, old definitions.

use aws_sdk_ecs::types::TaskDefinitionStatus;
use serde_json::json;

use crate::{moto::until, world::World};

/// What goes.
const STATE: &str = "
groups = logs.describe_log_groups(logGroupNamePrefix='/ecs/api')['logGroups']
say({'labels': [t['value'] for t in service()['tags'] if t['key'] == 'app'],
     'retention': [group.get('retentionInDays') for group in groups],
     'definitions': [arn.split('/')[1] for arn in ecs.list_task_definitions(familyPrefix='evenkeel-api')['taskDefinitionArns']]})
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_a_retention_and_a_definition_too_many_go() {
    let world = World::start_with(|manifest| {
        *manifest = manifest.replace("keepRevisions: 10", "keepRevisions: 1");
    })
    .await;
    let before = json!({"labels": ["api"], "retention": [14], "definitions": ["evenkeel-api:1"]});
    world.until_boto3_says(STATE, &before).await;
    world.edit("{app: api}", "{}");
    world.edit(", retentionInDays: 14", "");
    world.edit("value: info", "value: debug");
    // The old one goes when the rollout has ended.
    let ecs = world.ecs();
    until("the first definition is gone", async || {
        let request = ecs
            .describe_task_definition()
            .task_definition("evenkeel-api:1");
        let answer = request.send().await.unwrap();
        let definition = answer.task_definition.unwrap();
        (definition.status == Some(TaskDefinitionStatus::Inactive)).then_some(())
    })
    .await;
    let after = json!({"labels": [], "retention": [null], "definitions": ["evenkeel-api:2"]});
    world.until_boto3_says(STATE, &after).await;
}
