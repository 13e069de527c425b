//! `/docs`: Swagger UI over `/openapi.json`, built in. `scripts/vendor-docs` makes its files.
//!
//! Every address in the page is relative, so it works behind a path, and it asks nothing of any other host.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use super::{Reply, reply};

/// A file of the page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asset {
    /// Names the version of what it holds, so that it can be kept for ever.
    path: &'static str,
    content_type: &'static str,
    is_gzip: bool,
    bytes: &'static [u8],
}

static ASSETS: [Asset; 3] = [
    Asset {
        path: "/docs/5.35.0/swagger-ui-bundle.js",
        content_type: "text/javascript; charset=utf-8",
        is_gzip: true,
        bytes: include_bytes!("../../assets/swagger-ui/swagger-ui-bundle.js.gz"),
    },
    Asset {
        path: "/docs/5.35.0/swagger-ui.css",
        content_type: "text/css; charset=utf-8",
        is_gzip: true,
        bytes: include_bytes!("../../assets/swagger-ui/swagger-ui.css.gz"),
    },
    Asset {
        path: "/docs/5.35.0/start.js",
        content_type: "text/javascript; charset=utf-8",
        is_gzip: false,
        bytes: include_bytes!("../../assets/start.js"),
    },
];
const PAGE: &[u8] = include_bytes!("../../assets/docs.html");

/// Files of this origin alone; Swagger UI sets styles on elements and has its icons as `data:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A page and a description change with the version of this program, under the same address.
const ASK_AGAIN: &str = "no-cache";
const KEEP: &str = "public, max-age=31536000, immutable";

/// The file at a path.
pub(crate) fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// `GET /docs`
pub(crate) fn page() -> Reply {
    let mut reply = file(PAGE.into(), "text/html; charset=utf-8", ASK_AGAIN);
    set(&mut reply, CONTENT_SECURITY_POLICY, POLICY);
    reply
}

/// `GET /docs/`
pub(crate) fn to_page() -> Reply {
    let mut reply = reply::empty(StatusCode::PERMANENT_REDIRECT);
    set(&mut reply, LOCATION, "../docs");
    reply
}

/// `GET /openapi.json`
pub(crate) fn description(json: Bytes) -> Reply {
    file(json, "application/json", ASK_AGAIN)
}

impl Asset {
    /// What the file's own address gives. Whoever shows the page understands gzip, so there is no other form.
    pub(crate) fn reply(&self) -> Reply {
        let mut reply = file(Bytes::from_static(self.bytes), self.content_type, KEEP);
        if self.is_gzip {
            set(&mut reply, CONTENT_ENCODING, "gzip");
        }
        reply
    }
}

fn file(bytes: Bytes, content_type: &'static str, caching: &'static str) -> Reply {
    let mut reply = Response::new(Full::new(bytes));
    set(&mut reply, CONTENT_TYPE, content_type);
    set(&mut reply, CACHE_CONTROL, caching);
    set(&mut reply, X_CONTENT_TYPE_OPTIONS, "nosniff");
    reply
}

fn set(reply: &mut Reply, name: HeaderName, value: &'static str) {
    reply
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
}
