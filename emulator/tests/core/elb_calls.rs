//! Load balancers, listeners, target groups and tags: what is accepted, what is refused, what may be deleted.

use std::time::Duration;

use emulator::core::Service;
use serde_json::{Value, json};

use crate::world::World;

impl World {
    pub(crate) fn elb_error(&mut self, operation: &str, input: Value) -> (String, String) {
        let error = self.call(Service::Elbv2, operation, input).unwrap_err();
        assert_eq!(error.status, 400);
        (error.code.to_owned(), error.message)
    }

    pub(crate) fn elb_code(&mut self, operation: &str, input: Value) -> String {
        self.elb_error(operation, input).0
    }

    pub(crate) fn listener_arn(&mut self) -> String {
        let balancer = self.balancer_arn();
        let listeners = self.elb("DescribeListeners", json!({ "LoadBalancerArn": balancer }));
        text(&listeners["Listeners"][0]["ListenerArn"])
    }

    pub(crate) fn balancer_arn(&mut self) -> String {
        let balancers = self.elb("DescribeLoadBalancers", json!({ "Names": ["lb"] }));
        text(&balancers["LoadBalancers"][0]["LoadBalancerArn"])
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(crate) fn forward_to(group: &str) -> Value {
    json!([{ "Type": "forward", "TargetGroupArn": group }])
}

#[test]
fn what_is_in_use_cannot_be_deleted_and_the_rest_can() {
    let mut world = World::furnished();
    let (group, listener, balancer) = (
        world.group_arn(),
        world.listener_arn(),
        world.balancer_arn(),
    );
    assert_eq!(
        world.elb_error("DeleteTargetGroup", json!({ "TargetGroupArn": group })),
        (
            "ResourceInUse".to_owned(),
            format!("Target group '{group}' is currently in use by a listener or a rule")
        )
    );
    let protect = |flag: &str| {
        let attributes = [json!({ "Key": "deletion_protection.enabled", "Value": flag })];
        json!({ "LoadBalancerArn": balancer, "Attributes": attributes })
    };
    world.elb("ModifyLoadBalancerAttributes", protect("true"));
    let delete = json!({ "LoadBalancerArn": balancer });
    assert_eq!(
        world.elb_code("DeleteLoadBalancer", delete.clone()),
        "OperationNotPermitted"
    );
    world.elb("ModifyLoadBalancerAttributes", protect("false"));
    world.elb("DeleteLoadBalancer", delete.clone());
    world.elb("DeleteLoadBalancer", delete);
    assert!(world.routes.is_empty());
    for (operation, input, code) in [
        (
            "DescribeLoadBalancers",
            json!({ "LoadBalancerArns": [balancer] }),
            "LoadBalancerNotFound",
        ),
        (
            "DescribeListeners",
            json!({ "ListenerArns": [listener] }),
            "ListenerNotFound",
        ),
        (
            "DeleteListener",
            json!({ "ListenerArn": listener }),
            "ListenerNotFound",
        ),
        (
            "DescribeRules",
            json!({ "ListenerArn": listener }),
            "ListenerNotFound",
        ),
    ] {
        assert_eq!(world.elb_code(operation, input), code);
    }
    let groups = world.elb(
        "DescribeTargetGroups",
        json!({ "TargetGroupArns": [group] }),
    );
    assert_eq!(groups["TargetGroups"][0]["LoadBalancerArns"], json!([]));
    world.elb("DeleteTargetGroup", json!({ "TargetGroupArn": group }));
    world.elb("DeleteTargetGroup", json!({ "TargetGroupArn": group }));
    assert_eq!(
        world.elb_code("DescribeTargetHealth", json!({ "TargetGroupArn": group })),
        "TargetGroupNotFound"
    );
}

#[test]
fn a_listener_moves_to_another_group_and_port() {
    let mut world = World::furnished();
    world.deploy("good", 2);
    let (old, new, listener) = (
        world.group_arn(),
        world.group("other"),
        world.listener_arn(),
    );
    assert_eq!(world.served(), 2);
    let modified = world.elb(
        "ModifyListener",
        json!({ "ListenerArn": listener, "Port": "8080", "DefaultActions": forward_to(&new) }),
    );
    assert_eq!(modified["Listeners"][0]["Port"], 8080);
    let route = &world.routes[0];
    assert_eq!((route.port, route.targets.len()), (8080, 0));
    let health = world.elb("DescribeTargetHealth", json!({ "TargetGroupArn": old }));
    let health = &health["TargetHealthDescriptions"][0]["TargetHealth"];
    assert_eq!(health["Reason"], "Target.NotInUse");
    let modify = json!({ "ListenerArn": listener, "DefaultActions": forward_to(&old) });
    world.elb("ModifyListener", modify);
    world.until(Duration::from_secs(120), "healthy again", |world| {
        world.served() == 2
    });
    world.elb("DeleteListener", json!({ "ListenerArn": listener }));
    assert!(world.routes.is_empty());
}

#[test]
fn a_group_belongs_to_one_balancer() {
    let mut world = World::furnished();
    let group = world.group_arn();
    let subnets = json!(["subnet-a", "subnet-b"]);
    let other = world.elb(
        "CreateLoadBalancer",
        json!({ "Name": "two", "Subnets": subnets }),
    );
    let other = &other["LoadBalancers"][0]["LoadBalancerArn"];
    let listener = |actions: Value| json!({ "LoadBalancerArn": other, "Protocol": "HTTP", "Port": "80", "DefaultActions": actions });
    assert_eq!(
        world.elb_code("CreateListener", listener(forward_to(&group))),
        "TargetGroupAssociationLimit"
    );
    assert_eq!(
        world.elb_code("CreateListener", listener(forward_to("arn:x"))),
        "TargetGroupNotFound"
    );
    let fixed =
        json!([{ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "404" } }]);
    let created = world.elb("CreateListener", listener(fixed.clone()));
    let again = world.elb("CreateListener", listener(fixed));
    assert_eq!(created, again);
    let gone =
        json!([{ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "410" } }]);
    assert_eq!(
        world.elb_code("CreateListener", listener(gone)),
        "DuplicateListener"
    );
}

#[test]
fn attributes_are_checked_and_carried_out() {
    let mut world = World::furnished();
    let balancer = world.balancer_arn();
    let set = |key: &str, value: &str| json!({ "LoadBalancerArn": balancer, "Attributes": [{ "Key": key, "Value": value }] });
    world.elb(
        "ModifyLoadBalancerAttributes",
        set("idle_timeout.timeout_seconds", "7"),
    );
    let all = world.elb(
        "ModifyLoadBalancerAttributes",
        set("routing.http.drop_invalid_header_fields.enabled", "true"),
    );
    assert_eq!(
        world.elb(
            "DescribeLoadBalancerAttributes",
            json!({ "LoadBalancerArn": balancer })
        ),
        all
    );
    let route = &world.routes[0];
    assert_eq!(route.idle, Duration::from_secs(7));
    assert!(route.drop_invalid_headers);
    for (key, value, text) in [
        (
            "idle_timeout.timeout_seconds",
            "4001",
            "between '1' and '4000'",
        ),
        (
            "deletion_protection.enabled",
            "yes",
            "one of '[true, false]'",
        ),
        ("idle_timeout", "60", "is not recognized"),
        (
            "routing.http.xff_header_processing.mode",
            "remove",
            "emulator does not support",
        ),
    ] {
        let (code, message) = world.elb_error("ModifyLoadBalancerAttributes", set(key, value));
        assert_eq!(code, "ValidationError");
        assert!(message.contains(text), "{message}");
    }
    let listener = world.listener_arn();
    let attributes = world.elb(
        "DescribeListenerAttributes",
        json!({ "ListenerArn": listener }),
    );
    let server = json!({ "Key": "routing.http.response.server.enabled", "Value": "true" });
    assert!(
        attributes["Attributes"]
            .as_array()
            .unwrap()
            .contains(&server)
    );
    world.elb(
        "SetSecurityGroups",
        json!({ "LoadBalancerArn": balancer, "SecurityGroups": ["sg-9"] }),
    );
    world.elb(
        "SetSubnets",
        json!({ "LoadBalancerArn": balancer, "Subnets": ["subnet-c", "subnet-d"] }),
    );
    let view = world.elb("DescribeLoadBalancers", json!({}));
    let view = &view["LoadBalancers"][0];
    assert_eq!(view["SecurityGroups"], json!(["sg-9"]));
    assert_eq!(view["AvailabilityZones"][1]["SubnetId"], "subnet-d");
}

#[test]
fn tags_are_added_removed_and_gone_with_their_resource() {
    let mut world = World::furnished();
    let (group, listener) = (world.group("tagged"), world.listener_arn());
    let tags = |keys: &[&str]| -> Vec<Value> {
        let tag = |key: &&str| json!({ "Key": key, "Value": "v" });
        keys.iter().map(tag).collect()
    };
    let add = json!({ "ResourceArns": [group, listener], "Tags": tags(&["a", "b"]) });
    world.elb("AddTags", add);
    world.elb(
        "RemoveTags",
        json!({ "ResourceArns": [group], "TagKeys": ["a", "absent"] }),
    );
    let described = world.elb("DescribeTags", json!({ "ResourceArns": [group, listener] }));
    assert_eq!(
        described["TagDescriptions"],
        json!([
            { "ResourceArn": group, "Tags": tags(&["b"]) },
            { "ResourceArn": listener, "Tags": tags(&["a", "b"]) },
        ])
    );
    let many: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (keys, code) in [
        (vec!["x", "x"], "DuplicateTagKeys"),
        (vec!["aws:x"], "ValidationError"),
        (many, "TooManyTags"),
        (vec![], "ValidationError"),
    ] {
        let input = json!({ "ResourceArns": [group], "Tags": tags(&keys) });
        assert_eq!(world.elb_code("AddTags", input), code, "{keys:?}");
    }
    world.elb("DeleteTargetGroup", json!({ "TargetGroupArn": group }));
    assert_eq!(
        world.elb_code("DescribeTags", json!({ "ResourceArns": [group] })),
        "TargetGroupNotFound"
    );
}

#[test]
fn lists_come_in_pages() {
    let mut world = World::furnished();
    for number in 0..5 {
        world.group(&format!("group-{number}"));
    }
    let mut names = Vec::new();
    let mut input = json!({ "PageSize": "2" });
    loop {
        let page = world.elb("DescribeTargetGroups", input.clone());
        let groups = page["TargetGroups"].as_array().unwrap();
        names.extend(groups.iter().map(|it| text(&it["TargetGroupName"])));
        match page.get("NextMarker") {
            Some(marker) => input["Marker"] = marker.clone(),
            None => break,
        }
    }
    assert_eq!(names.len(), 6);
    for (size, bound) in [
        ("0", "greater than or equal to 1"),
        ("401", "less than or equal to 400"),
    ] {
        let (code, message) = world.elb_error("DescribeTargetGroups", json!({ "PageSize": size }));
        assert_eq!(code, "ValidationError");
        assert_eq!(
            message,
            format!(
                "1 validation error detected: Value '{size}' at 'pageSize' failed to satisfy constraint: Member must have value {bound}"
            )
        );
    }
    assert_eq!(
        world.elb_code("DescribeTargetGroups", json!({ "Marker": "?" })),
        "ValidationError"
    );
}

#[test]
fn without_a_healthy_target_every_one_that_stays_gets_requests() {
    let mut world = World::furnished();
    let mut input = world.service_input("good", 2);
    input["healthCheckGracePeriodSeconds"] = json!(3600);
    world.ecs("CreateService", input);
    world.until(Duration::from_secs(300), "both healthy", |world| {
        world.target_states() == ["healthy", "healthy"]
    });
    let addresses = |world: &World| -> Vec<_> {
        let targets = world.routes[0].targets.iter();
        targets.map(|target| target.address).collect()
    };
    let both = addresses(&world);
    world.ill.insert(both[0]);
    world.until(Duration::from_secs(60), "one unhealthy", |world| {
        addresses(world) == both[1..]
    });
    world.ill.insert(both[1]);
    world.until(Duration::from_secs(60), "both unhealthy", |world| {
        world.target_states() == ["unhealthy", "unhealthy"]
    });
    assert_eq!(addresses(&world), both);
    let group = world.group_arn();
    let leaving = json!([{ "Id": both[0].to_string() }]);
    world.elb(
        "DeregisterTargets",
        json!({ "TargetGroupArn": group, "Targets": leaving }),
    );
    assert_eq!(addresses(&world), both[1..]);
    world.ill.clear();
    world.until(Duration::from_secs(60), "healthy again", |world| {
        world.target_states().contains(&"healthy".to_owned())
    });
}

#[test]
fn a_service_whose_group_is_deleted_under_it_goes_on() {
    let mut world = World::furnished();
    world.deploy("good", 1);
    let (group, listener) = (world.group_arn(), world.listener_arn());
    world.elb("DeleteListener", json!({ "ListenerArn": listener }));
    world.elb("DeleteTargetGroup", json!({ "TargetGroupArn": group }));
    world.effects.clear();
    world.pass(Duration::from_secs(600));
    assert!(world.effects.len() < 100, "{}", world.effects.len());
}
