//! One request on its way to a target and back.
//!
//! It is sent a second time only when that cannot do it twice: not a byte of it was sent (any request), or it is of a safe
//! method without a body and the connection it went out on had been idle and was closed without an answer. Other
//! requests never use an idle connection, as for them that second case could not be put right.

use std::{net::IpAddr, sync::Arc, time::Duration};

use hyper::{
    HeaderMap, Method, Request, Response, Uri, Version,
    body::{Body as _, Incoming},
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};

use super::{
    answers::{self, Answer},
    body::{self, Body, Progress},
    frontend::{Frontend, Shared},
    headers, limits, redirect,
    table::{self, Pick, Table},
    target::{Connection, Failure, NotSent, Target},
};
use crate::core::{Action, RequestHead};

/// Targets that are tried for one request.
const MAX_TRIES: usize = 10;

/// Answers a client's request with a target's response, or with the balancer's own.
pub(super) async fn forward(
    frontend: &Frontend,
    shared: &Shared,
    request: Request<Incoming>,
    client: IpAddr,
) -> Response<Body> {
    match decide(frontend, &request, client) {
        Ok(Way::Answered(response)) => response,
        Ok(Way::Group(group)) => {
            let table = frontend.table();
            let head = head(frontend, shared, &request, client, &table);
            let way = (group.as_str(), table.idle());
            match send(frontend, shared, head, request.into_body(), way).await {
                Ok(response) => {
                    let mut response = response.map(|inner| body::download(inner, table.idle()));
                    *response.version_mut() = Version::HTTP_11;
                    headers::remove_hop_by_hop(response.headers_mut());
                    response
                }
                Err(answer) => answer.response(),
            }
        }
        Err(answer) => answer.response(),
    }
}

/// What the rules say about a request.
enum Way {
    /// To this target group.
    Group(String),
    Answered(Response<Body>),
}

fn decide(frontend: &Frontend, request: &Request<Incoming>, client: IpAddr) -> Result<Way, Answer> {
    limits::check(request)?;
    let fields: Vec<(&str, &str)> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let host = request.headers().get(HOST);
    let seen = RequestHead {
        method: request.method().as_str(),
        host: host.and_then(|host| host.to_str().ok()).unwrap_or_default(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        headers: &fields,
        source: client,
    };
    match frontend.table().action(&seen).ok_or(Answer::NoTarget)? {
        Action::Forward(groups) => {
            let group = table::share(groups, frontend.share_turn()).ok_or(Answer::NoTarget)?;
            Ok(Way::Group(group.to_owned()))
        }
        Action::Respond(fixed) => Ok(Way::Answered(answers::fixed(fixed))),
        Action::Redirect(to) => {
            let location = redirect::location(to, &seen, frontend.port);
            let location = location.ok_or(Answer::LocationTooLong)?;
            Ok(Way::Answered(answers::redirect(to.status, &location)))
        }
    }
}

/// The head as the target gets it.
#[derive(Clone)]
struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    fn request(self, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

fn head(
    frontend: &Frontend,
    shared: &Shared,
    request: &Request<Incoming>,
    client: IpAddr,
    table: &Table,
) -> Head {
    let mut fields = request.headers().clone();
    if fields.contains_key(TRANSFER_ENCODING) {
        // Were both passed on, the target might see another end of the body than we do.
        fields.remove(CONTENT_LENGTH);
    }
    headers::remove_hop_by_hop(&mut fields);
    if table.drops_invalid_headers() {
        headers::remove_invalid(&mut fields);
    }
    headers::add_forwarding(&mut fields, client, frontend.port, shared.clock.now());
    let path = request.uri().path_and_query().cloned();
    Head {
        method: request.method().clone(),
        uri: path.map_or_else(|| Uri::from_static("/"), Uri::from),
        headers: fields,
    }
}

async fn send(
    frontend: &Frontend,
    shared: &Shared,
    head: Head,
    body: Incoming,
    (group, idle): (&str, Duration),
) -> Result<Response<Incoming>, Answer> {
    let progress = Progress::new();
    let repeatable = head.method.is_safe() && body.is_end_stream();
    let copy = repeatable.then(|| head.clone());
    let mut connection = if repeatable {
        Connection::IdleOrNew
    } else {
        Connection::New
    };
    let body = if body.is_end_stream() {
        body::empty()
    } else {
        body::upload(body, progress.clone())
    };
    let mut request = head.request(body);
    let mut tried: Vec<Arc<Target>> = Vec::new();
    let mut last = Answer::BadGateway;
    while tried.len() < MAX_TRIES {
        // Anew each time, as a target may have left meanwhile.
        let target = match frontend.table().pick(group, frontend.turn(), &tried) {
            Pick::Target(target) => target,
            Pick::NoTarget => return Err(Answer::NoTarget),
            Pick::AllTried => return Err(last),
        };
        let sent = target
            .send(&shared.addresses, request, connection, &progress, idle)
            .await;
        match sent {
            Ok(response) => return Ok(response),
            Err(Failure::NotSent {
                request: back,
                cause,
            }) => {
                tracing::debug!(%target, %cause, "sending the request elsewhere");
                last = match cause {
                    NotSent::ConnectTimedOut => Answer::TimedOut,
                    NotSent::Unknown | NotSent::Connect(_) | NotSent::Closed => Answer::BadGateway,
                };
                request = *back;
                tried.push(target);
            }
            // A new connection cannot fail this way, so that this happens once.
            Err(Failure::IdleClosed) => match &copy {
                Some(head) => {
                    connection = Connection::New;
                    request = head.clone().request(body::empty());
                }
                None => return Err(Answer::BadGateway),
            },
            Err(Failure::Broken(error)) => {
                tracing::debug!(%target, %error, "the target broke the connection or its answer");
                return Err(Answer::BadGateway);
            }
            Err(Failure::ClientTimedOut) => return Err(Answer::ClientTimedOut),
            Err(Failure::TimedOut) => return Err(Answer::TimedOut),
        }
    }
    Err(last)
}
