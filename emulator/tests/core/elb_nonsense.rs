//! Malformed calls of load balancing.

use emulator::core::Service;
use serde_json::json;

use crate::world::World;

/// Every operation with the members that it takes.
const OPERATIONS: [(&str, &[&str]); 18] = [
    ("CreateLoadBalancer", &["Name", "Subnets", "Tags", "Type"]),
    ("DeleteLoadBalancer", &["LoadBalancerArn"]),
    (
        "ModifyLoadBalancerAttributes",
        &["LoadBalancerArn", "Attributes"],
    ),
    ("SetSubnets", &["LoadBalancerArn", "Subnets"]),
    ("SetSecurityGroups", &["LoadBalancerArn", "SecurityGroups"]),
    (
        "CreateListener",
        &["LoadBalancerArn", "Port", "Protocol", "DefaultActions"],
    ),
    ("ModifyListener", &["ListenerArn", "Port", "DefaultActions"]),
    ("ModifyListenerAttributes", &["ListenerArn", "Attributes"]),
    (
        "CreateRule",
        &["ListenerArn", "Priority", "Conditions", "Actions"],
    ),
    ("ModifyRule", &["RuleArn", "Conditions", "Actions"]),
    ("SetRulePriorities", &["RulePriorities"]),
    (
        "DescribeRules",
        &["ListenerArn", "RuleArns", "PageSize", "Marker"],
    ),
    (
        "CreateTargetGroup",
        &["Name", "Port", "Protocol", "VpcId", "Matcher"],
    ),
    (
        "ModifyTargetGroup",
        &["TargetGroupArn", "Matcher", "HealthCheckPath"],
    ),
    (
        "ModifyTargetGroupAttributes",
        &["TargetGroupArn", "Attributes"],
    ),
    ("RegisterTargets", &["TargetGroupArn", "Targets"]),
    ("AddTags", &["ResourceArns", "Tags"]),
    ("RemoveTags", &["ResourceArns", "TagKeys"]),
];

#[test]
fn whatever_is_sent_is_answered_and_changes_nothing() {
    let mut world = World::furnished();
    let (group, listener, balancer) = (
        world.group_arn(),
        world.listener_arn(),
        world.balancer_arn(),
    );
    let before = world.routes.clone();
    let nonsense = [
        json!(""),
        json!("x"),
        json!(-1),
        json!(true),
        json!([]),
        json!([1]),
        json!([""]),
        json!([{}]),
        json!([{ "Key": {}, "Type": [], "Field": 1 }]),
        json!({ "a": "b" }),
        json!("\u{0}é".repeat(2_000)),
    ];
    for (operation, members) in OPERATIONS {
        world.elb_code(operation, json!({ "Nonsense": "x" }));
        for member in members {
            for value in &nonsense {
                let mut input = json!({ "ResourceArns": [group] });
                for (arn, value) in [
                    ("TargetGroupArn", &group),
                    ("ListenerArn", &listener),
                    ("LoadBalancerArn", &balancer),
                ] {
                    if members.contains(&arn) {
                        input[arn] = json!(value);
                    }
                }
                if !members.contains(&"ResourceArns") {
                    input.as_object_mut().unwrap().remove("ResourceArns");
                }
                input[*member] = value.clone();
                // Some of it is right: an empty list of attributes, for one.
                if let Err(error) = world.call(Service::Elbv2, operation, input) {
                    assert_eq!(error.status, 400, "{operation} {member} {value}");
                }
            }
        }
    }
    assert_eq!(world.routes, before);
}
