//! Which path and method lead where. Pure.

use hyper::Method;
use matchit::Router;

use super::documentation::{self, Asset};
use crate::items::ItemId;

/// Where a request leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    List,
    Create,
    Read(ItemId),
    Replace(ItemId),
    Delete(ItemId),
    Health,
    Ready,
    Description,
    Docs,
    /// `/docs/`, whose relative links would lead elsewhere.
    DocsWithSlash,
    Asset(&'static Asset),
    /// OPTIONS; of no route in particular with `*`.
    Options(Option<Route>),
    /// The path exists, the method does not.
    WrongMethod(Option<Route>),
    /// A route of items, with an id that none can have.
    NoSuchItem,
    NoSuchAsset,
    Unknown,
}

/// A path pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Items,
    Item,
    Health,
    Ready,
    Description,
    Docs,
    Asset,
}

impl Route {
    pub(crate) const ALL: [Self; 7] = [
        Self::Items,
        Self::Item,
        Self::Health,
        Self::Ready,
        Self::Description,
        Self::Docs,
        Self::Asset,
    ];

    pub(crate) const fn pattern(self) -> &'static str {
        match self {
            Self::Items => "/items",
            Self::Item => "/items/{id}",
            Self::Health => "/health",
            Self::Ready => "/ready",
            Self::Description => "/openapi.json",
            Self::Docs => "/docs",
            Self::Asset => "/docs/{version}/{file}",
        }
    }

    const fn allow(self) -> &'static str {
        match self {
            Self::Items => "GET, HEAD, POST, OPTIONS",
            Self::Item => "GET, HEAD, PUT, DELETE, OPTIONS",
            Self::Health | Self::Ready | Self::Description | Self::Docs | Self::Asset => {
                "GET, HEAD, OPTIONS"
            }
        }
    }
}

/// The methods of a route, or of them all.
pub(crate) fn allow(route: Option<Route>) -> &'static str {
    route.map_or("GET, HEAD, POST, PUT, DELETE, OPTIONS", Route::allow)
}

/// What one method does on one route, and the statuses it is known for.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) route: Route,
    pub(crate) statuses: &'static [u16],
}

/// Every operation, in the order of the document. The statuses' series exist from the start.
pub(crate) const OPERATIONS: [Operation; 9] = [
    operation("GET", Route::Items, &[200, 400, 414, 500, 503]),
    operation(
        "POST",
        Route::Items,
        &[201, 400, 408, 413, 414, 415, 422, 500, 503],
    ),
    operation("GET", Route::Item, &[200, 304, 400, 404, 414, 500, 503]),
    operation(
        "PUT",
        Route::Item,
        &[200, 400, 404, 408, 412, 413, 414, 415, 422, 500, 503],
    ),
    operation("DELETE", Route::Item, &[204, 400, 404, 412, 414, 500, 503]),
    operation("GET", Route::Health, &[200, 400, 414]),
    operation("GET", Route::Ready, &[200, 400, 414, 503]),
    operation("GET", Route::Description, &[200, 400, 414]),
    operation("GET", Route::Docs, &[200, 400, 414]),
];

const fn operation(method: &'static str, route: Route, statuses: &'static [u16]) -> Operation {
    Operation {
        method,
        route,
        statuses,
    }
}

/// Every documented (method, route pattern, status).
pub(crate) fn documented_answers() -> impl Iterator<Item = (&'static str, &'static str, u16)> {
    OPERATIONS.into_iter().flat_map(|operation| {
        let (method, route) = (operation.method, operation.route.pattern());
        operation
            .statuses
            .iter()
            .map(move |status| (method, route, *status))
    })
}

/// What people type, and what servers on the way may make of it.
const DOCS_WITH_SLASH: &str = "/docs/";

/// The compiled table.
pub(crate) struct Routes(Router<Route>);

impl Routes {
    /// # Errors
    ///
    /// When two patterns overlap, which a test would show.
    pub(crate) fn new() -> Result<Self, matchit::InsertError> {
        let mut router = Router::new();
        for route in Route::ALL {
            router.insert(route.pattern(), route)?;
        }
        router.insert(DOCS_WITH_SLASH, Route::Docs)?;
        Ok(Self(router))
    }

    /// Where `method` on `path` leads; HEAD leads where GET does.
    pub(crate) fn resolve(&self, method: &Method, path: &str) -> Target {
        let Ok(found) = self.0.at(path) else {
            return match *method {
                Method::OPTIONS if path == "*" => Target::Options(None),
                // Its target is no path at all.
                Method::CONNECT => Target::WrongMethod(None),
                _ => Target::Unknown,
            };
        };
        let route = *found.value;
        let id = || found.params.get("id").and_then(ItemId::parse);
        let item = |target: fn(ItemId) -> Target| id().map_or(Target::NoSuchItem, target);
        let method = match *method {
            Method::HEAD => &Method::GET,
            _ => method,
        };
        match (route, method) {
            (_, &Method::OPTIONS) => Target::Options(Some(route)),
            (Route::Items, &Method::GET) => Target::List,
            (Route::Items, &Method::POST) => Target::Create,
            (Route::Item, &Method::GET) => item(Target::Read),
            (Route::Item, &Method::PUT) => item(Target::Replace),
            (Route::Item, &Method::DELETE) => item(Target::Delete),
            (Route::Health, &Method::GET) => Target::Health,
            (Route::Ready, &Method::GET) => Target::Ready,
            (Route::Description, &Method::GET) => Target::Description,
            (Route::Docs, &Method::GET) if path == DOCS_WITH_SLASH => Target::DocsWithSlash,
            (Route::Docs, &Method::GET) => Target::Docs,
            (Route::Asset, &Method::GET) => {
                documentation::asset(path).map_or(Target::NoSuchAsset, Target::Asset)
            }
            _ => Target::WrongMethod(Some(route)),
        }
    }
}

impl Target {
    /// The route, where there is one.
    pub(crate) const fn route(&self) -> Option<Route> {
        match self {
            Self::List | Self::Create => Some(Route::Items),
            Self::Read(_) | Self::Replace(_) | Self::Delete(_) | Self::NoSuchItem => {
                Some(Route::Item)
            }
            Self::Health => Some(Route::Health),
            Self::Ready => Some(Route::Ready),
            Self::Description => Some(Route::Description),
            Self::Docs | Self::DocsWithSlash => Some(Route::Docs),
            Self::Asset(_) | Self::NoSuchAsset => Some(Route::Asset),
            Self::Options(route) | Self::WrongMethod(route) => *route,
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(method: &str, path: &str) -> Target {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Routes::new().unwrap().resolve(&method, path)
    }

    #[test]
    fn every_route_leads_somewhere() {
        let seven = ItemId::parse("7").unwrap();
        assert_eq!(resolve("GET", "/items"), Target::List);
        assert_eq!(resolve("POST", "/items"), Target::Create);
        assert_eq!(resolve("HEAD", "/items/7"), Target::Read(seven));
        assert_eq!(resolve("PUT", "/items/7"), Target::Replace(seven));
        assert_eq!(resolve("DELETE", "/items/7"), Target::Delete(seven));
        assert_eq!(resolve("GET", "/health"), Target::Health);
        assert_eq!(resolve("GET", "/ready"), Target::Ready);
        assert_eq!(resolve("GET", "/openapi.json"), Target::Description);
        assert_eq!(resolve("GET", "/docs"), Target::Docs);
        assert_eq!(resolve("HEAD", "/docs/"), Target::DocsWithSlash);
        assert_eq!(resolve("OPTIONS", "*"), Target::Options(None));
    }

    #[test]
    fn what_leads_nowhere_says_why() {
        for path in ["/", "/items/", "/items/1/2", "/Items", "*"] {
            assert_eq!(resolve("GET", path), Target::Unknown, "{path}");
        }
        assert_eq!(resolve("GET", "/items/seven"), Target::NoSuchItem);
        assert_eq!(resolve("GET", "/docs/0/x.js"), Target::NoSuchAsset);
        assert_eq!(resolve("CONNECT", ""), Target::WrongMethod(None));
        for (method, path, route) in [
            ("PATCH", "/items/7", Route::Item),
            ("PATCH", "/items/seven", Route::Item),
            ("DELETE", "/items", Route::Items),
            ("BREW", "/health", Route::Health),
            ("POST", "/docs/", Route::Docs),
        ] {
            let target = resolve(method, path);
            assert_eq!(target, Target::WrongMethod(Some(route)), "{method} {path}");
        }
    }

    /// Every method that a route allows leads to what it does, and no other does.
    #[test]
    fn the_table_of_operations_is_what_is_resolved() {
        for route in Route::ALL {
            let path = route.pattern().replace("{id}", "7");
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"] {
                let known = OPERATIONS
                    .iter()
                    .any(|operation| operation.route == route && operation.method == method)
                    || (route == Route::Asset && method == "GET");
                let leads = resolve(method, &path) != Target::WrongMethod(Some(route));
                let allowed = allow(Some(route)).split(", ").any(|word| word == method);
                assert_eq!((leads, allowed), (known, known), "{method} {path}");
            }
        }
    }
}
