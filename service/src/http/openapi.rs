//! The API's description as an OpenAPI 3.1 document, made from the table of operations and from the types that are read and written.
//!
//! What is said here by hand is prose, parameters and headers; paths, methods and statuses come from the table that requests are
//! resolved and counted by.

use hyper::StatusCode;
use hyper::body::Bytes;
use utoipa::ToSchema;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::info::InfoBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ComponentsBuilder, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::tag::Tag;
use utoipa::openapi::{Content, KnownFormat, OpenApiBuilder, Ref, RefOr, Required, Schema, Server};

use super::failure::Problem;
use super::handlers::{Health, Listing, Readiness};
use super::page::{DEFAULT_LIMIT, MAX_LIMIT};
use super::routes::{OPERATIONS, Operation, Route};
use crate::items::{Draft, Invalid, Item};

const ABOUT: &str = "\
Items, from a cache where it has them. HEAD works wherever GET does, and OPTIONS names a path's methods; another method is a 405 with `Allow`.

Errors are problem documents (RFC 9457). A request whose framing is broken is a 400, and one whose head is larger than 64 KiB or has \
more than 100 fields a 431, both without a body, and the connection closes.

With `Prefer: server-timing`, an answer says in `Server-Timing` how many milliseconds it took (`total`), and how many of them it waited for \
Redis (`cache`) and PostgreSQL (`database`), if it did.";

/// In the order of the page.
const TAGS: [&str; 3] = ["items", "operation", "documentation"];

/// The document as JSON.
pub(crate) fn describe(version: &str) -> Result<Bytes, serde_json::Error> {
    let mut paths = PathsBuilder::new();
    for route in Route::ALL {
        let operations = OPERATIONS
            .iter()
            .filter(|operation| operation.route == route);
        let item = operations.map(path_item).reduce(|mut all, one| {
            all.merge_operations(one);
            all
        });
        if let Some(item) = item {
            paths = paths.path(route.pattern(), item);
        }
    }
    let info = InfoBuilder::new()
        .title("api")
        .version(version)
        .description(Some(ABOUT))
        .build();
    let document = OpenApiBuilder::new()
        .info(info)
        // Relative to where this document is found, so that it holds behind a path.
        .servers(Some([Server::new(".")]))
        .tags(Some(TAGS.map(Tag::new)))
        .paths(paths)
        .components(Some(components().build()))
        .build();
    serde_json::to_vec(&document).map(Bytes::from)
}

fn components() -> ComponentsBuilder {
    let mut components = ComponentsBuilder::new()
        .schema_from::<Draft>()
        .schema_from::<Health<'_>>()
        .schema_from::<Invalid>()
        .schema_from::<Item>()
        .schema_from::<Listing<'_>>()
        .schema_from::<Problem<'_>>()
        .schema_from::<Readiness>();
    let mut inner = Vec::new();
    Readiness::schemas(&mut inner);
    Health::schemas(&mut inner);
    for (name, schema) in inner {
        components = components.schema(name, schema);
    }
    components
}

/// What a person reads of an operation, and what it takes.
struct Prose {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
}

fn path_item(operation: &Operation) -> PathItem {
    let Prose {
        id,
        tag,
        summary,
        parameters,
        body,
    } = prose(operation);
    let mut built = OperationBuilder::new()
        .operation_id(Some(id))
        .tag(tag)
        .summary(Some(summary))
        .request_body(body);
    for parameter in parameters {
        built = built.parameter(parameter);
    }
    for status in operation.statuses {
        built = built.response(status.to_string(), response(operation, *status));
    }
    let method = match operation.method {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    };
    PathItem::new(method, built)
}

fn prose(operation: &Operation) -> Prose {
    let (id, tag, summary) = match (operation.method, operation.route) {
        ("POST", Route::Items) => ("create_item", "items", "Create an item"),
        (_, Route::Items) => ("list_items", "items", "List items, in order of id"),
        ("PUT", Route::Item) => ("replace_item", "items", "Replace an item"),
        ("DELETE", Route::Item) => ("delete_item", "items", "Delete an item"),
        (_, Route::Item) => ("read_item", "items", "Read an item"),
        (_, Route::Health) => (
            "health",
            "operation",
            "Whether this process serves, whatever its stores do",
        ),
        (_, Route::Ready) => ("ready", "operation", "Whether PostgreSQL and Redis answer"),
        (_, Route::Description) => ("describe", "documentation", "This document"),
        (_, Route::Docs | Route::Asset) => ("docs", "documentation", "This document as a page"),
    };
    let mut parameters = Vec::new();
    match (operation.method, operation.route) {
        ("GET", Route::Items) => {
            let limit = integer(Some(1), Some(MAX_LIMIT), Some(DEFAULT_LIMIT));
            parameters.push(parameter(
                "limit",
                ParameterIn::Query,
                "Items on the page at most",
                limit,
            ));
            let cursor = integer(Some(0), None, None);
            let about = "Where the page begins: what the `Link` of the page before gave";
            parameters.push(parameter("cursor", ParameterIn::Query, about, cursor));
        }
        (_, Route::Item) => {
            let id = integer(Some(1), None, None);
            parameters.push(parameter("id", ParameterIn::Path, "The item's id", id));
        }
        _ => {}
    }
    match (operation.method, operation.route) {
        ("GET", Route::Item) => {
            let about = "The `ETag` of a version that the caller has: 304 if it is still the one";
            parameters.push(parameter(
                "If-None-Match",
                ParameterIn::Header,
                about,
                text(),
            ));
        }
        ("PUT" | "DELETE", Route::Item) => {
            let about = "The `ETag` of the version to change: 412 if it is another by now";
            parameters.push(parameter("If-Match", ParameterIn::Header, about, text()));
        }
        _ => {}
    }
    let body = matches!(operation.method, "POST" | "PUT").then(|| {
        RequestBodyBuilder::new()
            .description(Some("At most 1 MiB, within 10 s, and not compressed"))
            .content("application/json", content::<Draft>())
            .required(Some(Required::True))
            .build()
    });
    Prose {
        id,
        tag,
        summary,
        parameters,
        body,
    }
}

fn response(operation: &Operation, status: u16) -> Response {
    let route = operation.route;
    let mut response = ResponseBuilder::new()
        .description(meaning(operation, status))
        .header("X-Request-Id", header("The caller's, or else a new one"))
        .header(
            "traceparent",
            header("This answer's span, in the caller's trace or a new one"),
        );
    response = match (route, status) {
        (Route::Items, 200) => response.content("application/json", content::<Listing<'_>>()),
        (Route::Items | Route::Item, 200 | 201) => {
            response.content("application/json", content::<Item>())
        }
        (Route::Health, 200) => response.content("application/json", content::<Health<'_>>()),
        (Route::Ready, 200 | 503) => response.content("application/json", content::<Readiness>()),
        (Route::Description, 200) => response.content("application/json", any()),
        (Route::Docs | Route::Asset, 200) => response.content("text/html", any()),
        (_, 204 | 304) => response,
        _ => response.content("application/problem+json", content::<Problem<'_>>()),
    };
    let mut header_of = |name, about| {
        response = std::mem::take(&mut response).header(name, header(about));
    };
    match (route, status) {
        (Route::Items | Route::Item, 503) => header_of("Retry-After", "Seconds to wait"),
        (Route::Item, 404) if operation.method == "GET" => {
            header_of("Cache-Status", "What the cache did (RFC 9211)");
        }
        (Route::Items, 200) => header_of("Link", "`rel=\"next\"`, while more follow"),
        (Route::Items | Route::Item, 200 | 201 | 204 | 304) => {
            header_of("Cache-Status", "What the cache did (RFC 9211)");
            if status != 204 {
                header_of("ETag", "Names the item's version");
            }
            if status == 201 {
                header_of("Location", "The new item's path");
            }
        }
        _ => {}
    }
    response.build()
}

fn meaning(operation: &Operation, status: u16) -> &'static str {
    match (operation.route, status) {
        (Route::Items, 400) => "The query is not understood, or the request is malformed",
        (Route::Ready, 503) => "One of the two does not answer",
        (_, 201) => "Created",
        (_, 204) => "Deleted",
        (_, 304) => "The caller has this version",
        (_, 400) => "The request is malformed",
        (_, 404) => "There is no such item",
        (_, 408) => "The body did not arrive in time",
        (_, 412) => {
            "`If-Match` has no strong, quoted tag of the item's version, or `If-None-Match` is `*`"
        }
        (_, 413) => "The body is larger than 1 MiB",
        (_, 414) => "The path and its query are longer than 8 KiB",
        (_, 415) => "The body is not JSON, or it is compressed",
        (_, 422) => "The item is not acceptable; `errors` says where and why",
        (_, 503) => "The database is unavailable; try again",
        _ => StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default(),
    }
}

fn parameter(name: &str, place: ParameterIn, about: &str, schema: Object) -> Parameter {
    let required = if place == ParameterIn::Path {
        Required::True
    } else {
        Required::False
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

fn integer(least: Option<i64>, most: Option<i64>, default: Option<i64>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(least)
        // An id is 64 bits wide with its sign.
        .maximum(Some(most.unwrap_or(i64::MAX)))
        .default(default.map(Into::into))
        .build()
}

fn text() -> Object {
    Object::with_type(Type::String)
}

fn header(about: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(text()))
        .description(Some(about))
        .build()
}

fn content<T: ToSchema>() -> Content {
    Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name(T::name()))))
}

fn any() -> Content {
    Content::new(None::<RefOr<Schema>>)
}
