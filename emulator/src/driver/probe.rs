//! One HTTP health check, as the load balancer's checker makes it.

use http_body_util::Empty;
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use super::Addresses;
use crate::core::{Probe, ProbeResult};

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
const USER_AGENT: &str = "ELB-HealthChecker/2.0";

pub(super) async fn run(addresses: &Addresses, probe: &Probe) -> ProbeResult {
    match timeout(probe.timeout, status(addresses, probe)).await {
        Ok(Some(status)) => ProbeResult::Status(status),
        Ok(None) => ProbeResult::Failed,
        Err(_) => ProbeResult::TimedOut,
    }
}

async fn status(addresses: &Addresses, probe: &Probe) -> Option<u16> {
    let to = addresses.find(probe.address, probe.port)?;
    let request = Request::get(&probe.path)
        .header(header::HOST, format!("{}:{}", probe.address, probe.port))
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::CONNECTION, "close")
        .body(Empty::<bytes::Bytes>::new())
        .ok()?;
    let stream = TcpStream::connect(to).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let response = sender.send_request(request);
    tokio::pin!(response);
    // The connection is dropped with this future, and so the socket is closed whatever the target does. It may be at its
    // end in the same moment in which it has brought the response.
    let response = tokio::select! {
        response = &mut response => response,
        _ = connection => response.await,
    };
    Some(response.ok()?.status().as_u16())
}
