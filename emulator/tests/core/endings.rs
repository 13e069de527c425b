//! What is deleted: clusters and task definitions.

use std::time::Duration;

use serde_json::json;

use crate::world::World;

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_cluster_is_deleted_once_it_is_empty() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    let delete = json!({ "cluster": "main" });
    let refused = world.ecs_error("DeleteCluster", delete.clone());
    assert_eq!(refused.0, "ClusterContainsServicesException");
    world.ecs(
        "DeleteService",
        json!({ "cluster": "main", "service": "api", "force": true }),
    );
    let refused = world.ecs_error("DeleteCluster", delete.clone());
    assert_eq!(refused.0, "ClusterContainsTasksException");
    world.until(LONG, "the end", |world| {
        world.service()["status"] == "INACTIVE"
    });
    let deleted = world.ecs("DeleteCluster", delete.clone());
    assert_eq!(deleted["cluster"]["status"], "INACTIVE");

    let described = world.ecs("DescribeClusters", json!({ "clusters": ["main"] }));
    assert_eq!(described["clusters"][0]["status"], "INACTIVE");
    assert_eq!(
        world.ecs("ListClusters", json!({}))["clusterArns"],
        json!([])
    );
    let inactive = (
        "ClusterNotFoundException".to_owned(),
        "The referenced cluster was inactive.".to_owned(),
    );
    assert_eq!(world.ecs_error("ListServices", delete.clone()), inactive);
    assert_eq!(world.ecs_error("DeleteCluster", delete), inactive);

    world.ecs("CreateCluster", json!({ "clusterName": "main" }));
    world.deploy("good", 1);
}

#[test]
fn a_definition_is_deleted_after_it_is_deregistered_and_once_nothing_uses_it() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    let delete = json!({ "taskDefinitions": ["api:1"] });
    let refused = world.ecs("DeleteTaskDefinitions", delete.clone());
    assert_eq!(refused["taskDefinitions"], json!([]));
    assert_eq!(refused["failures"][0]["arn"], "api:1");
    world.ecs(
        "DeregisterTaskDefinition",
        json!({ "taskDefinition": "api:1" }),
    );
    let deleted = world.ecs("DeleteTaskDefinitions", delete.clone());
    assert_eq!(deleted["failures"], json!([]));
    let definition = &deleted["taskDefinitions"][0];
    assert_eq!(definition["status"], "DELETE_IN_PROGRESS");
    assert!(definition["deleteRequestedAt"].is_f64());

    world.pass(LONG);
    let listed = json!({ "status": "DELETE_IN_PROGRESS" });
    let list = world.ecs("ListTaskDefinitions", listed.clone());
    assert_eq!(
        list["taskDefinitionArns"],
        json!([definition["taskDefinitionArn"]]),
        "the service still runs it"
    );
    world.update(json!({ "desiredCount": 2 }));
    world.until(LONG, "two", |world| world.service()["runningCount"] == 2);
    let update = json!({ "cluster": "main", "service": "api", "taskDefinition": "api:1", "forceNewDeployment": true });
    world.ecs("UpdateService", update);
    let next = world.register("better");
    assert!(next.ends_with("api:2"));
    world.update(json!({ "taskDefinition": next }));
    world.until(LONG, "the next one", World::completed);
    world.pass(2 * LONG);
    let list = world.ecs("ListTaskDefinitions", listed);
    assert_eq!(list["taskDefinitionArns"], json!([]));
    let gone = world.ecs_error(
        "DescribeTaskDefinition",
        json!({ "taskDefinition": "api:1" }),
    );
    assert_eq!(gone.1, "Unable to describe task definition.");
}

#[test]
fn a_deleted_revisions_number_does_not_come_back() {
    let mut world = World::furnished();
    let arn = world.register("good");
    world.ecs("DeregisterTaskDefinition", json!({ "taskDefinition": arn }));
    world.ecs("DeleteTaskDefinitions", json!({ "taskDefinitions": [arn] }));
    world.pass(LONG);
    let families = world.ecs("ListTaskDefinitionFamilies", json!({}));
    assert_eq!(families["families"], json!([]));
    assert!(world.register("good").ends_with("api:2"));
    let eleven: Vec<String> = (0..11).map(|n| format!("api:{n}")).collect();
    for references in [json!(eleven), json!([]), json!(["api"])] {
        let input = json!({ "taskDefinitions": references });
        let error = world.ecs_error("DeleteTaskDefinitions", input);
        assert_eq!(error.0, "InvalidParameterException");
    }
}
