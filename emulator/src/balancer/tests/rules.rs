//! What the rules of a listener say is done.

use super::*;

fn fixed(body: &str) -> Action {
    Action::Respond(FixedResponse {
        status: 200,
        content_type: Some("application/json".into()),
        body: Some(body.into()),
    })
}

fn forward(groups: &[(&str, u16)]) -> Action {
    let weighted = groups.iter().map(|(group, weight)| Weighted {
        group: (*group).into(),
        weight: *weight,
    });
    Action::Forward(weighted.collect())
}

fn rule(conditions: Vec<Condition>, action: Action) -> RouteRule {
    RouteRule { conditions, action }
}

fn path(pattern: &str) -> Condition {
    Condition::Path(vec![pattern.into()])
}

#[tokio::test]
async fn the_first_rule_whose_conditions_all_hold_decides() {
    let world = World::new();
    let backend = Backend::start("a").await;
    world.put(1, backend.at);
    let mut route = world.table(&[1]);
    let header = Condition::Header {
        name: "X-Beta".into(),
        values: vec!["YES".into()],
    };
    route.rules = vec![
        rule(vec![path("/items/*"), header], fixed("\"beta\"")),
        rule(vec![path("/items/*")], fixed("\"items\"")),
        rule(
            vec![Condition::Host(vec!["*.shop.example".into()])],
            fixed("\"shop\""),
        ),
        rule(
            vec![Condition::Query(vec![(Some("v".into()), "2".into())])],
            fixed("\"two\""),
        ),
        rule(
            vec![Condition::Method(vec!["DELETE".into()])],
            fixed("\"gone\""),
        ),
    ];
    world.apply(route);
    let answer = async |request: hyper::http::request::Builder| {
        let response = world.send(request.body(Full::default()).unwrap()).await;
        (
            response.headers().get("server").cloned(),
            response.into_body(),
        )
    };
    let get = |path: &str| world.request("GET", path);
    let beta = get("/items/1").header("x-beta", "yes");
    assert_eq!(answer(beta).await.1, "\"beta\"");
    let (server, body) = answer(get("/items/1")).await;
    assert_eq!(
        (server.unwrap(), body),
        ("awselb/2.0".parse().unwrap(), "\"items\"".into())
    );
    let shop = get("/").header("host", "www.SHOP.example:81");
    assert_eq!(answer(shop).await.1, "\"shop\"");
    assert_eq!(answer(get("/x?a=1&V=2")).await.1, "\"two\"");
    assert_eq!(answer(world.request("DELETE", "/")).await.1, "\"gone\"");
    let (server, body) = answer(get("/else")).await;
    assert_eq!((server, body), (None, Bytes::new()));
    assert_eq!(backend.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn groups_get_their_share_and_an_empty_one_is_503() {
    let world = World::new();
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    world.put(1, a.at);
    world.put(2, b.at);
    let mut route = world.table(&[1]);
    route.default = forward(&[(GROUP, 3), ("arn:other", 1)]);
    let other = RouteTarget {
        group: "arn:other".into(),
        ..target(2)
    };
    route.targets.push(other);
    world.apply(route.clone());
    for _ in 0..40 {
        assert_eq!(world.get("/").await.status(), 200);
    }
    let counts = [&a, &b].map(|it| it.requests.load(Ordering::SeqCst));
    assert_eq!(counts, [30, 10]);

    route.targets.truncate(1);
    world.apply(route.clone());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(world.get("/").await.status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 503]);

    route.default = forward(&[(GROUP, 0)]);
    world.apply(route);
    assert_eq!(world.get("/").await.status(), 503);
}

#[tokio::test]
async fn a_redirect_keeps_what_it_is_told_to_keep() {
    let world = World::new();
    let mut route = world.table(&[]);
    route.default = Action::Redirect(Redirect {
        protocol: "HTTPS".into(),
        host: "#{host}".into(),
        port: "443".into(),
        path: "/new/#{path}".into(),
        query: "#{query}".into(),
        status: 301,
    });
    world.apply(route);
    let request = world
        .request("GET", "/a/b?x=%20y")
        .header("host", "shop.example:8080");
    let response = world.send(request.body(Full::default()).unwrap()).await;
    assert_eq!(response.status(), 301);
    let location = "https://shop.example:443/new/a/b?x=%20y";
    assert_eq!(response.headers()["location"], location);
    assert_eq!(response.headers()["server"], "awselb/2.0");
}

#[tokio::test]
async fn names_that_are_not_plain_are_left_out_where_asked_for() {
    let world = World::new();
    let backend = Backend::start("a").await;
    world.put(1, backend.at);
    for (drop, there) in [(false, true), (true, false)] {
        let mut route = world.table(&[1]);
        route.drop_invalid_headers = drop;
        world.apply(route);
        let request = world
            .request("GET", "/")
            .header("x_under", "1")
            .header("x-plain", "1");
        let response = world.send(request.body(Full::default()).unwrap()).await;
        assert!(response.headers().contains_key("saw-x-plain"));
        assert_eq!(response.headers().contains_key("saw-x_under"), there);
    }
}
