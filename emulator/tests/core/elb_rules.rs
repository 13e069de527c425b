//! Rules: what is accepted, their order, and what follows for the routes.

use emulator::core::{Action, RequestHead};
use serde_json::{Value, json};

use crate::{
    elb_calls::{forward_to, text},
    world::World,
};

fn fixed(status: &str) -> Value {
    json!([{ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": status, "ContentType": "text/plain", "MessageBody": "no" } }])
}

fn path(pattern: &str) -> Value {
    json!([{ "Field": "path-pattern", "Values": [pattern] }])
}

fn create(world: &mut World, priority: u32, conditions: Value, actions: Value) -> String {
    let input = rule(world, priority, conditions, actions);
    text(&world.elb("CreateRule", input)["Rules"][0]["RuleArn"])
}

fn rule(world: &mut World, priority: u32, conditions: Value, actions: Value) -> Value {
    json!({
        "ListenerArn": world.listener_arn(), "Priority": priority.to_string(),
        "Conditions": conditions, "Actions": actions,
    })
}

fn priorities(world: &mut World) -> Vec<String> {
    let listener = world.listener_arn();
    let rules = world.elb("DescribeRules", json!({ "ListenerArn": listener }));
    let rules = rules["Rules"].as_array().unwrap().clone();
    rules.iter().map(|rule| text(&rule["Priority"])).collect()
}

#[test]
fn rules_are_created_described_modified_and_deleted() {
    let mut world = World::furnished();
    let arn = create(&mut world, 10, path("/a/*"), fixed("404"));
    let listener = world.listener_arn();
    assert!(arn.starts_with(&listener.replace(":listener/", ":listener-rule/")));
    let described = world.elb("DescribeRules", json!({ "RuleArns": [arn] }));
    assert_eq!(
        described["Rules"],
        json!([{
            "RuleArn": arn, "Priority": "10", "IsDefault": false, "Actions": fixed("404"),
            "Conditions": [{ "Field": "path-pattern", "Values": ["/a/*"], "PathPatternConfig": { "Values": ["/a/*"] } }],
        }])
    );
    let all = world.elb("DescribeRules", json!({ "ListenerArn": listener }));
    let default = &all["Rules"][1];
    assert_eq!(default["Priority"], "default");
    assert_eq!(default["IsDefault"], true);
    assert_eq!(default["Conditions"], json!([]));
    assert_eq!(default["Actions"][0]["TargetGroupArn"], world.group_arn());

    let modify = json!({ "RuleArn": arn, "Actions": fixed("503") });
    let modified = world.elb("ModifyRule", modify);
    assert_eq!(modified["Rules"][0]["Actions"], fixed("503"));
    assert_eq!(
        modified["Rules"][0]["Conditions"],
        described["Rules"][0]["Conditions"]
    );

    let change = json!({ "RuleArn": default["RuleArn"] });
    for operation in ["ModifyRule", "DeleteRule"] {
        assert_eq!(
            world.elb_code(operation, change.clone()),
            "OperationNotPermitted"
        );
    }
    assert_eq!(world.routes[0].rules.len(), 1);
    world.elb("DeleteRule", json!({ "RuleArn": arn }));
    assert!(world.routes[0].rules.is_empty());
    assert_eq!(
        world.elb_code("DeleteRule", json!({ "RuleArn": arn })),
        "RuleNotFound"
    );
}

#[test]
fn priorities_order_rules_and_are_taken_once() {
    let mut world = World::furnished();
    let late = create(&mut world, 200, path("/late"), fixed("404"));
    let early = create(&mut world, 3, path("/early"), fixed("404"));
    assert_eq!(priorities(&mut world), ["3", "200", "default"]);
    let again = rule(&mut world, 3, path("/x"), fixed("404"));
    assert_eq!(
        world.elb_error("CreateRule", again),
        (
            "PriorityInUse".to_owned(),
            "Priority '3' is currently in use".to_owned()
        )
    );
    let swap = json!({ "RulePriorities": [
        { "RuleArn": late, "Priority": "3" }, { "RuleArn": early, "Priority": "200" },
    ] });
    world.elb("SetRulePriorities", swap);
    let listener = world.listener_arn();
    let page = world.elb(
        "DescribeRules",
        json!({ "ListenerArn": listener, "PageSize": "1" }),
    );
    assert_eq!(page["Rules"][0]["RuleArn"], late.as_str());
    let next = json!({ "ListenerArn": listener, "Marker": page["NextMarker"] });
    let page = world.elb("DescribeRules", next);
    assert_eq!(page["Rules"].as_array().unwrap().len(), 2);
    let clash = json!({ "RulePriorities": [{ "RuleArn": late, "Priority": "200" }] });
    assert_eq!(world.elb_code("SetRulePriorities", clash), "PriorityInUse");
    assert_eq!(priorities(&mut world), ["3", "200", "default"]);
}

#[test]
fn a_rule_brings_its_group_into_use() {
    let mut world = World::furnished();
    let other = world.group("other");
    let target = json!([{ "Id": "10.0.9.9", "Port": "80" }]);
    world.elb(
        "RegisterTargets",
        json!({ "TargetGroupArn": other, "Targets": target }),
    );
    let state = |world: &mut World| {
        let health = world.elb("DescribeTargetHealth", json!({ "TargetGroupArn": other }));
        text(&health["TargetHealthDescriptions"][0]["TargetHealth"]["State"])
    };
    assert_eq!(state(&mut world), "unused");
    let arn = create(&mut world, 1, path("/other"), forward_to(&other));
    assert_eq!(state(&mut world), "initial");
    let delete = json!({ "TargetGroupArn": other });
    assert_eq!(
        world.elb_code("DeleteTargetGroup", delete.clone()),
        "ResourceInUse"
    );
    world.elb("DeleteRule", json!({ "RuleArn": arn }));
    assert_eq!(state(&mut world), "unused");
    world.elb("DeleteTargetGroup", delete);
}

#[test]
fn weights_and_redirects_are_shown_as_given() {
    let mut world = World::furnished();
    let (a, b) = (world.group_arn(), world.group("b"));
    let shares = json!([
        { "TargetGroupArn": a, "Weight": "9" }, { "TargetGroupArn": b, "Weight": "1" },
    ]);
    let forward =
        json!([{ "Type": "forward", "Order": "1", "ForwardConfig": { "TargetGroups": shares } }]);
    let input = rule(&mut world, 1, path("/w"), forward);
    let made = world.elb("CreateRule", input);
    assert_eq!(
        made["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"],
        json!([{ "TargetGroupArn": a, "Weight": 9 }, { "TargetGroupArn": b, "Weight": 1 }])
    );
    let redirect = json!([{ "Type": "redirect", "RedirectConfig": { "Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301" } }]);
    let input = rule(&mut world, 2, path("/r"), redirect);
    let made = world.elb("CreateRule", input);
    assert_eq!(
        made["Rules"][0]["Actions"][0]["RedirectConfig"],
        json!({ "Protocol": "HTTPS", "Host": "#{host}", "Port": "443", "Path": "/#{path}", "Query": "#{query}", "StatusCode": "HTTP_301" })
    );
}

#[test]
fn every_kind_of_condition_is_taken_and_held_against_requests() {
    let mut world = World::furnished();
    let config = |names: &str, config: Value| {
        let (field, member) = names.split_once(' ').unwrap();
        json!([{ "Field": field, member: config }])
    };
    for (priority, conditions) in [
        config(
            "host-header HostHeaderConfig",
            json!({ "Values": ["*.example.com"] }),
        ),
        config(
            "http-header HttpHeaderConfig",
            json!({ "HttpHeaderName": "X-A", "Values": ["b*"] }),
        ),
        config(
            "http-request-method HttpRequestMethodConfig",
            json!({ "Values": ["PUT"] }),
        ),
        config(
            "query-string QueryStringConfig",
            json!({ "Values": [{ "Value": "z" }] }),
        ),
        config(
            "source-ip SourceIpConfig",
            json!({ "Values": ["10.0.0.0/8"] }),
        ),
        config(
            "path-pattern PathPatternConfig",
            json!({ "Values": ["/p"] }),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let priority = u32::try_from(priority).unwrap() + 1;
        let status = format!("{}", 400 + priority);
        create(&mut world, priority, conditions, fixed(&status));
    }
    let plain = RequestHead {
        method: "GET",
        host: "h",
        path: "/",
        query: "",
        headers: &[],
        source: [127, 0, 0, 1].into(),
    };
    let route = &world.routes[0];
    let status = |request: RequestHead<'_>| match route.action(&request) {
        Action::Respond(fixed) => Some(fixed.status),
        Action::Forward(_) | Action::Redirect(_) => None,
    };
    assert_eq!(status(plain), None);
    assert_eq!(
        status(RequestHead {
            host: "a.Example.com:80",
            ..plain
        }),
        Some(401)
    );
    let headers = [("x-a", "Boo")];
    assert_eq!(
        status(RequestHead {
            headers: &headers,
            ..plain
        }),
        Some(402)
    );
    assert_eq!(
        status(RequestHead {
            method: "PUT",
            ..plain
        }),
        Some(403)
    );
    assert_eq!(
        status(RequestHead {
            query: "k=z",
            ..plain
        }),
        Some(404)
    );
    assert_eq!(
        status(RequestHead {
            source: [10, 1, 2, 3].into(),
            ..plain
        }),
        Some(405)
    );
    assert_eq!(
        status(RequestHead {
            path: "/p",
            ..plain
        }),
        Some(406)
    );
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let mut world = World::furnished();
    let before = world.routes.clone();
    let group = world.group_arn();
    let long = "x".repeat(129);
    let ok = || fixed("404");
    for (conditions, actions, code) in [
        (json!([]), ok(), "ValidationError"),
        (path(&long), ok(), "ValidationError"),
        (path("/******"), ok(), "ValidationError"),
        (
            json!([{ "Field": "cookie", "Values": ["a"] }]),
            ok(),
            "ValidationError",
        ),
        (
            json!([{ "Field": "path-pattern", "Values": ["1", "2", "3", "4", "5", "6"] }]),
            ok(),
            "ValidationError",
        ),
        (
            json!([path("/a")[0], path("/b")[0]]),
            ok(),
            "ValidationError",
        ),
        (
            json!([{ "Field": "source-ip", "SourceIpConfig": { "Values": ["10.0.0.1"] } }]),
            ok(),
            "ValidationError",
        ),
        (
            json!([{ "Field": "path-pattern", "PathPatternConfig": { "RegexValues": ["a"] } }]),
            ok(),
            "ValidationError",
        ),
        (
            json!([{ "Field": "http-request-method", "HttpRequestMethodConfig": { "Values": ["get"] } }]),
            ok(),
            "ValidationError",
        ),
        (path("/"), json!([]), "ValidationError"),
        (path("/"), json!([ok()[0], ok()[0]]), "TooManyActions"),
        (path("/"), fixed("302"), "ValidationError"),
        (
            path("/"),
            json!([{ "Type": "authenticate-oidc" }]),
            "ValidationError",
        ),
        (
            path("/"),
            json!([{ "Type": "teleport" }]),
            "ValidationError",
        ),
        (path("/"), forward_to("arn:absent"), "TargetGroupNotFound"),
        (
            path("/"),
            json!([{ "Type": "forward", "TargetGroupArn": group, "ForwardConfig": { "TargetGroupStickinessConfig": { "Enabled": "true", "DurationSeconds": "9" } } }]),
            "ValidationError",
        ),
        (
            path("/"),
            json!([{ "Type": "redirect", "RedirectConfig": { "StatusCode": "HTTP_301" } }]),
            "InvalidLoadBalancerAction",
        ),
        (
            path("/"),
            json!([{ "Type": "redirect", "RedirectConfig": { "StatusCode": "HTTP_301", "Path": "x" } }]),
            "ValidationError",
        ),
    ] {
        let input = rule(&mut world, 1, conditions, actions);
        assert_eq!(
            world.elb_code("CreateRule", input.clone()),
            code,
            "{input:#}"
        );
    }
    let input = rule(&mut world, 50_001, path("/"), ok());
    assert_eq!(world.elb_code("CreateRule", input), "ValidationError");
    assert_eq!(world.routes, before);
    assert_eq!(priorities(&mut world), ["default"]);
}
