//! What describes and lists answer, and that they change nothing.

use std::time::Duration;

use emulator::core::Service;
use serde_json::json;

use crate::world::World;

#[test]
fn what_is_missing_is_a_failure_in_a_good_reply() {
    let mut world = World::furnished();
    let reply = world.ecs(
        "DescribeServices",
        json!({ "cluster": "main", "services": ["absent"] }),
    );
    let arn = "arn:aws:ecs:eu-central-1:123456789012:service/main/absent";
    assert_eq!(
        reply,
        json!({ "services": [], "failures": [{ "arn": arn, "reason": "MISSING" }] })
    );
    let reply = world.ecs(
        "DescribeClusters",
        json!({ "clusters": ["main", "absent"] }),
    );
    assert_eq!(reply["clusters"].as_array().unwrap().len(), 1);
    assert_eq!(reply["failures"][0]["reason"], "MISSING");
    let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    assert_eq!(
        world
            .ecs_error(
                "DescribeServices",
                json!({ "cluster": "main", "services": eleven })
            )
            .0,
        "InvalidParameterException"
    );
    let gone = world.ecs_error(
        "DescribeServices",
        json!({ "cluster": "absent", "services": ["api"] }),
    );
    assert_eq!(
        gone,
        (
            "ClusterNotFoundException".to_owned(),
            "Cluster not found.".to_owned()
        )
    );
    let gone = world.ecs_error(
        "DeleteService",
        json!({ "cluster": "main", "service": "absent" }),
    );
    assert_eq!(gone, ("ServiceNotFoundException".to_owned(), String::new()));
    let gone = world.ecs_error(
        "UpdateService",
        json!({ "cluster": "main", "service": "absent" }),
    );
    assert_eq!(
        gone,
        (
            "ServiceNotFoundException".to_owned(),
            "Service not found.".to_owned()
        )
    );
}

#[test]
fn revisions_carry_resolved_values() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    let first = world.service()["currentServiceRevisions"][0]["arn"].clone();
    let revision = world.ecs(
        "DescribeServiceRevisions",
        json!({ "serviceRevisionArns": [first] }),
    )["serviceRevisions"][0]
        .clone();
    assert_eq!(revision["platformVersion"], "1.4.0");
    assert!(
        revision["containerImages"][0]["imageDigest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    assert!(revision.get("monitoring").is_none() && revision.get("serviceRegistries").is_none());
    let twice = world.call(
        Service::Ecs,
        "DescribeServiceRevisions",
        json!({ "serviceRevisionArns": [first, first] }),
    );
    assert_eq!(twice.unwrap_err().status, 500);
    let prefix = first.as_str().unwrap().rsplit_once('/').unwrap().0;
    let absent = json!({ "serviceRevisionArns": [format!("{prefix}/1")] });
    assert_eq!(
        world.ecs("DescribeServiceRevisions", absent)["failures"][0]["reason"],
        "MISSING"
    );

    let mut bare = world.service_input("good", 0);
    bare["serviceName"] = json!("bare");
    bare["loadBalancers"] = json!([]);
    let bare =
        world.ecs("CreateService", bare)["service"]["currentServiceRevisions"][0]["arn"].clone();
    let revision = world.ecs(
        "DescribeServiceRevisions",
        json!({ "serviceRevisionArns": [bare] }),
    );
    assert!(
        revision["serviceRevisions"][0]
            .get("loadBalancers")
            .is_none()
    );
}

#[test]
fn a_describe_changes_nothing() {
    let mut world = World::furnished();
    world.deploy("good", 2);
    let definition = world.register("better");
    world.update(json!({ "taskDefinition": definition }));
    world.pass(Duration::from_secs(12));
    let first = world.service();
    for _ in 0..3 {
        world.now += Duration::from_secs(100);
        assert_eq!(world.service(), first);
    }
}
