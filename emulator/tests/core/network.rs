//! Subnets and security groups that do not exist: accepted, and then no task starts.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::World;

const LONG: Duration = Duration::from_secs(3600);

fn network(subnet: &str, group: &str) -> Value {
    json!({ "networkConfiguration": { "awsvpcConfiguration": { "subnets": [subnet], "securityGroups": [group] } } })
}

#[test]
fn a_security_group_that_does_not_exist_fails_the_rollout_and_nothing_else() {
    let mut world = World::furnished();
    let before = world.deploy("good", 1);
    world.floor = 1;
    let updated = world.update(network("subnet-a", "sg-deleted1"));
    assert_eq!(updated["taskDefinition"], before["taskDefinition"]);
    world.until(LONG, "the way back", |world| {
        world.service_deployments()[0]["status"] == "ROLLBACK_SUCCESSFUL"
    });
    let service = world.service();
    assert_eq!(
        service["networkConfiguration"],
        before["networkConfiguration"]
    );
    let failed = &world.tasks("STOPPED")[0];
    assert_eq!(failed["stopCode"], "TaskFailedToStart");
    assert_eq!(
        failed["stoppedReason"],
        "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-a': InvalidGroup.NotFound"
    );
    let record = &world.service_deployments()[0];
    assert_eq!(record["deploymentCircuitBreaker"]["failureCount"], 3);
}

#[test]
fn a_subnet_that_does_not_exist_is_named() {
    let mut world = World::furnished();
    let mut input = world.service_input("good", 1);
    let mut network = network("subnet-deleted1", "sg-1")["networkConfiguration"].clone();
    network["awsvpcConfiguration"]["assignPublicIp"] = json!("ENABLED");
    input["networkConfiguration"] = network;
    world.ecs("CreateService", input);
    world.until(LONG, "the failure", |world| {
        !world.tasks("STOPPED").is_empty()
    });
    assert_eq!(
        world.tasks("STOPPED")[0]["stoppedReason"],
        "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet 'subnet-deleted1': InvalidSubnetID.NotFound"
    );
}
