//! Which path and method lead where. Pure.

use hyper::Method;
use matchit::Router;

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
    /// The path exists, the method does not.
    WrongMethod {
        route: Route,
        allow: &'static str,
    },
    /// A route of items, with an id that none can have.
    NoSuchItem(Route),
    Unknown,
}

/// A path pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Items,
    Item,
    Health,
    Ready,
}

impl Route {
    const ALL: [Self; 4] = [Self::Items, Self::Item, Self::Health, Self::Ready];

    const fn pattern(self) -> &'static str {
        match self {
            Self::Items => "/items",
            Self::Item => "/items/{id}",
            Self::Health => "/health",
            Self::Ready => "/ready",
        }
    }

    const fn allow(self) -> &'static str {
        match self {
            Self::Items => "GET, HEAD, POST",
            Self::Item => "GET, HEAD, PUT, DELETE",
            Self::Health | Self::Ready => "GET, HEAD",
        }
    }
}

/// The statuses that each method of each route is known for; their series exist from the start.
const DOCUMENTED: [(&str, Route, &[u16]); 7] = [
    ("GET", Route::Items, &[200, 400, 500, 503]),
    ("POST", Route::Items, &[201, 415, 422, 500, 503]),
    ("GET", Route::Item, &[200, 304, 404, 500, 503]),
    ("PUT", Route::Item, &[200, 404, 412, 422, 500, 503]),
    ("DELETE", Route::Item, &[204, 404, 412, 500, 503]),
    ("GET", Route::Health, &[200]),
    ("GET", Route::Ready, &[200, 503]),
];

/// Every documented (method, route pattern, status).
pub(crate) fn documented_answers() -> impl Iterator<Item = (&'static str, &'static str, u16)> {
    DOCUMENTED
        .into_iter()
        .flat_map(|(method, route, statuses)| {
            statuses
                .iter()
                .map(move |status| (method, route.pattern(), *status))
        })
}

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
        Ok(Self(router))
    }

    /// Where `method` on `path` leads; HEAD leads where GET does.
    pub(crate) fn resolve(&self, method: &Method, path: &str) -> Target {
        let Ok(found) = self.0.at(path) else {
            return Target::Unknown;
        };
        let route = *found.value;
        let id = found.params.get("id").and_then(ItemId::parse);
        let method = match *method {
            Method::HEAD => &Method::GET,
            _ => method,
        };
        match (route, method, id) {
            (Route::Items, &Method::GET, _) => Target::List,
            (Route::Items, &Method::POST, _) => Target::Create,
            (Route::Item, &Method::GET, Some(id)) => Target::Read(id),
            (Route::Item, &Method::PUT, Some(id)) => Target::Replace(id),
            (Route::Item, &Method::DELETE, Some(id)) => Target::Delete(id),
            (Route::Item, &Method::GET | &Method::PUT | &Method::DELETE, None) => {
                Target::NoSuchItem(route)
            }
            (Route::Health, &Method::GET, _) => Target::Health,
            (Route::Ready, &Method::GET, _) => Target::Ready,
            (Route::Items | Route::Item | Route::Health | Route::Ready, _, _) => {
                Target::WrongMethod {
                    route,
                    allow: route.allow(),
                }
            }
        }
    }
}

impl Target {
    /// The route's pattern, for metrics and the log.
    pub(crate) const fn route(&self) -> &'static str {
        match self {
            Self::List | Self::Create => Route::Items.pattern(),
            Self::Read(_) | Self::Replace(_) | Self::Delete(_) => Route::Item.pattern(),
            Self::Health => Route::Health.pattern(),
            Self::Ready => Route::Ready.pattern(),
            Self::WrongMethod { route, .. } | Self::NoSuchItem(route) => route.pattern(),
            Self::Unknown => "unknown",
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
    }

    #[test]
    fn what_leads_nowhere_says_why() {
        for path in ["/", "/items/", "/items/1/2", "/Items", "*"] {
            assert_eq!(resolve("GET", path), Target::Unknown, "{path}");
        }
        assert_eq!(
            resolve("GET", "/items/seven"),
            Target::NoSuchItem(Route::Item)
        );
        for (method, path, allowed) in [
            ("PATCH", "/items/7", "GET, HEAD, PUT, DELETE"),
            ("PATCH", "/items/seven", "GET, HEAD, PUT, DELETE"),
            ("DELETE", "/items", "GET, HEAD, POST"),
            ("BREW", "/health", "GET, HEAD"),
        ] {
            let target = resolve(method, path);
            assert!(
                matches!(target, Target::WrongMethod { allow, .. } if allow == allowed),
                "{method} {path} leads to {target:?}"
            );
        }
    }
}
