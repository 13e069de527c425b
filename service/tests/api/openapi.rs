//! The description of the API is true, and the page that shows it is whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::{Api, Database, RedisDatabase, get, request, send};

async fn start() -> (Database, RedisDatabase, Api) {
    let database = Database::create().await;
    let redis = RedisDatabase::take().await;
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("REDIS_URL", &redis.url),
        ("SERVICE_VERSION", "1.1.0"),
    ];
    let api = Api::start_with(&variables).await;
    (database, redis, api)
}

fn object(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.as_object().unwrap().iter();
    members.map(|(name, value)| (name.as_str(), value))
}

/// Every reference in the document leads somewhere in it.
fn assert_references(document: &Value, value: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            members
                .values()
                .for_each(|member| assert_references(document, member));
        }
        Value::Array(elements) => {
            elements
                .iter()
                .for_each(|element| assert_references(document, element));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_document_names_the_methods_that_each_path_takes() {
    let (_database, _redis, api) = start().await;
    let answer = get(api.address, "/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], "1.1.0");
    assert_references(&document, &document);

    let mut paths = BTreeSet::new();
    for (path, operations) in object(&document["paths"]) {
        paths.insert(path.to_owned());
        let options = request("OPTIONS", &path.replace("{id}", "1"), &[], None);
        let allowed = send(api.address, options).await;
        let allowed: BTreeSet<_> = allowed
            .header("allow")
            .split(", ")
            .map(str::to_owned)
            .collect();
        let mut described: BTreeSet<_> = object(operations)
            .map(|(method, _)| method.to_uppercase())
            .collect();
        // These two are said of all paths at once.
        described.extend(["HEAD".to_owned(), "OPTIONS".to_owned()]);
        assert_eq!(described, allowed, "{path}");
    }
    let routes = [
        "/docs",
        "/health",
        "/items",
        "/items/{id}",
        "/openapi.json",
        "/ready",
    ];
    assert_eq!(paths, routes.map(str::to_owned).into());
}

/// The metrics know at the start every answer that is documented, and the document knows the same.
#[tokio::test]
async fn the_document_names_the_answers_that_are_counted() {
    let (_database, _redis, api) = start().await;
    let scrape = get(api.metrics_address, "/metrics").await;
    let text = String::from_utf8(scrape.body.to_vec()).unwrap();
    let mut counted = BTreeMap::<_, BTreeSet<_>>::new();
    for line in text
        .lines()
        .filter(|line| line.starts_with("http_requests_total{"))
    {
        let label = |name: &str| {
            let value = line.split(&format!("{name}=\"")).nth(1).unwrap();
            value.split('"').next().unwrap().to_owned()
        };
        let key = (label("route"), label("method").to_lowercase());
        counted.entry(key).or_default().insert(label("status"));
    }
    let document = get(api.address, "/openapi.json").await.json();
    let mut described = BTreeMap::new();
    for (path, operations) in object(&document["paths"]) {
        for (method, operation) in object(operations) {
            let statuses = object(&operation["responses"]).map(|(status, _)| status.to_owned());
            described.insert(
                (path.to_owned(), method.to_owned()),
                statuses.collect::<BTreeSet<_>>(),
            );
        }
    }
    assert_eq!(described, counted);
}

#[tokio::test]
async fn the_page_and_its_files_are_served_and_name_no_other_host() {
    let (_database, _redis, api) = start().await;
    let page = get(api.address, "/docs").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(!html.contains("//"), "an address with a host:\n{html}");
    let mut files = BTreeMap::new();
    for attribute in ["href=\"", "src=\""] {
        for after in html.split(attribute).skip(1) {
            let link = after.split('"').next().unwrap();
            if link.starts_with("data:") {
                continue;
            }
            // Relative to the page, so that all of it may stand behind a path.
            assert!(!link.starts_with('/'), "{link}");
            let answer = get(api.address, &format!("/{link}")).await;
            assert_eq!(answer.status, 200, "{link}");
            files.insert(link.rsplit('/').next().unwrap().to_owned(), answer);
        }
    }
    for (file, content_type, encoding) in [
        (
            "swagger-ui-bundle.js",
            "text/javascript; charset=utf-8",
            "gzip",
        ),
        ("swagger-ui.css", "text/css; charset=utf-8", "gzip"),
        ("start.js", "text/javascript; charset=utf-8", ""),
    ] {
        let answer = &files[file];
        assert_eq!(answer.header("content-type"), content_type, "{file}");
        assert_eq!(answer.header("content-encoding"), encoding, "{file}");
        assert_eq!(
            answer.body.starts_with(&[0x1f, 0x8b]),
            encoding == "gzip",
            "{file}"
        );
        assert_eq!(
            answer.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    assert_eq!(
        get(api.address, "/docs/0.0.0/swagger-ui.css").await.status,
        404
    );

    let slash = get(api.address, "/docs/").await;
    assert_eq!(slash.status, 308);
    // Behind a path as well: of `/shop/docs/` it makes `/shop/docs`.
    assert_eq!(slash.header("location"), "../docs");
}
