//! One request on its way to a target and back.
//!
//! It is sent a second time only when that cannot do it twice: not a byte of it was sent (any request), or it is of a safe
//! method without a body and the connection it went out on had been idle and was closed without an answer. Other
//! requests never use an idle connection, as for them that second case could not be put right.

use std::{net::IpAddr, sync::Arc};

use hyper::{
    HeaderMap, Method, Request, Response, Uri, Version,
    body::{Body as _, Incoming},
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};

use super::{
    answers::Answer,
    body::{self, Body, Progress},
    frontend::{Frontend, Pick, Shared},
    headers,
    target::{Connection, Failure, NotSent, Target},
};

/// Targets that are tried for one request.
const MAX_TRIES: usize = 10;

/// Answers a client's request with a target's response, or with the balancer's own.
pub(super) async fn forward(
    frontend: &Frontend,
    shared: &Shared,
    request: Request<Incoming>,
    client: IpAddr,
) -> Response<Body> {
    let outcome = match head(frontend, shared, &request, client) {
        Ok(head) => send(frontend, shared, head, request.into_body()).await,
        Err(answer) => Err(answer),
    };
    match outcome {
        Ok(response) => {
            let mut response = response.map(|inner| body::download(inner, shared.idle));
            *response.version_mut() = Version::HTTP_11;
            headers::remove_hop_by_hop(response.headers_mut());
            response
        }
        Err(answer) => answer.response(),
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
) -> Result<Head, Answer> {
    let path = request.uri().path_and_query().ok_or(Answer::BadRequest)?;
    let names_host = request.headers().get_all(HOST).iter().count() == 1;
    if request.method() == Method::CONNECT || (request.version() == Version::HTTP_11 && !names_host)
    {
        return Err(Answer::BadRequest);
    }
    let mut fields = request.headers().clone();
    if fields.contains_key(TRANSFER_ENCODING) {
        // Were both passed on, the target might see another end of the body than we do.
        fields.remove(CONTENT_LENGTH);
    }
    headers::remove_hop_by_hop(&mut fields);
    headers::add_forwarding(&mut fields, client, frontend.port, shared.clock.now());
    Ok(Head {
        method: request.method().clone(),
        uri: Uri::from(path.clone()),
        headers: fields,
    })
}

async fn send(
    frontend: &Frontend,
    shared: &Shared,
    head: Head,
    body: Incoming,
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
        let target = match frontend.pick(&tried) {
            Pick::Target(target) => target,
            Pick::NoTarget => return Err(Answer::NoTarget),
            Pick::AllTried => return Err(last),
        };
        let sent = target
            .send(
                &shared.addresses,
                request,
                connection,
                &progress,
                shared.idle,
            )
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
            Err(Failure::TimedOut) => return Err(Answer::TimedOut),
        }
    }
    Err(last)
}
