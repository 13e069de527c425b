//! The load balancer's data plane: HTTP/1.1 listeners on loopback that forward to the targets of the model's routes.
//!
//! ```text
//! Frontend (a listener) ── its table, replaced at once ──► Target (a pool of connections) ──► Addresses ──► task
//! ```
//!
//! Knows nothing of health or services: what is in the routes is used, in turn.

mod answers;
mod body;
mod frontend;
mod headers;
mod limits;
mod proxy;
mod redirect;
mod table;
mod target;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{frontend::Frontend, table::Table, target::Target};
use crate::{clock::Clock, core::Route, driver::Addresses};

/// Every listener and every target.
#[derive(Debug)]
pub(crate) struct Balancer {
    addresses: Arc<Addresses>,
    clock: Clock,
    state: Mutex<State>,
    ending: CancellationToken,
    running: TaskTracker,
}

#[derive(Debug, Default)]
struct State {
    frontends: Vec<Arc<Frontend>>,
    targets: HashMap<(Ipv4Addr, u16), Arc<Target>>,
}

/// A listener's declared port and the socket that was bound for it before the start.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) port: u16,
    pub(crate) socket: TcpListener,
}

impl Balancer {
    /// Serves the listeners that were bound beforehand. Until a route claims one, it answers 503.
    pub(crate) fn start(
        bound: Vec<Bound>,
        addresses: Arc<Addresses>,
        clock: Clock,
    ) -> io::Result<Self> {
        let balancer = Self {
            addresses,
            clock,
            state: Mutex::default(),
            ending: CancellationToken::new(),
            running: TaskTracker::new(),
        };
        for Bound { port, socket } in bound {
            let frontend = balancer.open(port, true, socket)?;
            balancer.state().frontends.push(frontend);
        }
        Ok(balancer)
    }

    /// Puts a new table in force. When this returns, no request is sent to a target that is not in it; requests in flight
    /// finish, and idle connections to targets that left are closed.
    pub(crate) fn apply(&self, routes: Vec<Route>) {
        let mut state = self.state();
        state.frontends.retain(|frontend| {
            // A listener that has moved to another port leaves this one.
            let is_here = |arn| {
                let mut routes = routes.iter();
                routes.any(|route| route.listener == arn && route.port == frontend.port)
            };
            let keeps = frontend.claim().is_none_or(is_here);
            if !keeps {
                frontend.release();
            }
            keeps || frontend.declared
        });
        let mut targets = HashMap::new();
        for route in routes {
            let of_route = route.targets.iter().map(|target| {
                let key = (target.address, target.port);
                let known = || state.targets.get(&key).cloned();
                let made = || Arc::new(Target::new(target.address, target.port));
                let shared = targets
                    .entry(key)
                    .or_insert_with(|| known().unwrap_or_else(made));
                (target.group.clone(), Arc::clone(shared))
            });
            let of_route: Vec<(String, Arc<Target>)> = of_route.collect();
            match self.frontend(&mut state.frontends, &route) {
                Ok(frontend) => frontend.replace(Table::new(route, of_route)),
                Err(error) => {
                    tracing::error!(listener = route.listener, %error, "cannot open a port for a listener");
                }
            }
        }
        let left = std::mem::replace(&mut state.targets, targets);
        for (key, target) in left {
            if !state.targets.contains_key(&key) {
                target.retire();
            }
        }
    }

    /// Declared port to address. Where several listeners have one port, the first that came.
    pub(crate) fn listeners(&self) -> BTreeMap<u16, SocketAddr> {
        let mut listeners = BTreeMap::new();
        for frontend in &self.state().frontends {
            listeners.entry(frontend.port).or_insert(frontend.local);
        }
        listeners
    }

    /// Listener ARN to address.
    pub(crate) fn listener_arns(&self) -> BTreeMap<String, SocketAddr> {
        let state = self.state();
        let claimed = state.frontends.iter();
        claimed
            .filter_map(|frontend| Some((frontend.claim()?, frontend.local)))
            .collect()
    }

    /// Closes every listener and every connection.
    pub(crate) async fn shutdown(&self) {
        self.ending.cancel();
        self.running.close();
        self.running.wait().await;
    }

    /// The frontend of a route's listener: its own, else a declared one that is free, else a new one on any port.
    fn frontend(
        &self,
        frontends: &mut Vec<Arc<Frontend>>,
        route: &Route,
    ) -> io::Result<Arc<Frontend>> {
        let own = frontends
            .iter()
            .find(|frontend| frontend.claim().as_deref() == Some(&*route.listener));
        let declared = || {
            frontends
                .iter()
                .find(|frontend| frontend.port == route.port && frontend.claim().is_none())
        };
        let frontend = match own.or_else(declared) {
            Some(frontend) => Arc::clone(frontend),
            None => {
                let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                let frontend = self.open(route.port, false, socket)?;
                frontends.push(Arc::clone(&frontend));
                frontend
            }
        };
        frontend.set_claim(&route.listener);
        Ok(frontend)
    }

    fn open(&self, port: u16, declared: bool, socket: TcpListener) -> io::Result<Arc<Frontend>> {
        socket.set_nonblocking(true)?;
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let closing = self.ending.child_token();
        let frontend = Arc::new(Frontend::new(port, declared, socket.local_addr()?, closing));
        let shared = frontend::Shared {
            addresses: Arc::clone(&self.addresses),
            clock: self.clock,
            running: self.running.clone(),
        };
        self.running
            .spawn(frontend::serve(Arc::clone(&frontend), socket, shared));
        Ok(frontend)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

#[cfg(test)]
mod tests;
