//! Where an address on the wire is on this machine. Prober and balancer dial through this.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, RwLock},
};

use super::ports::{self, Lease};
use crate::core::TaskLaunch;

/// (address, container port) to a port on 127.0.0.1, for every task that may listen.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    map: RwLock<HashMap<(Ipv4Addr, u16), SocketAddr>>,
}

/// A task's ports; they are forgotten when this is dropped.
#[derive(Debug)]
pub(super) struct TaskPorts {
    address: Ipv4Addr,
    leases: HashMap<u16, Lease>,
    addresses: Arc<Addresses>,
}

impl Addresses {
    /// The socket to dial; none when no task has that address and port.
    pub(crate) fn find(&self, address: Ipv4Addr, port: u16) -> Option<SocketAddr> {
        let map = self.map.read().ok()?;
        map.get(&(address, port)).copied()
    }

    /// A loopback port for every declared port of a task; none when no port is free.
    pub(super) fn assign(self: &Arc<Self>, launch: &TaskLaunch) -> Option<TaskPorts> {
        let mut ports = TaskPorts {
            address: launch.address,
            leases: HashMap::new(),
            addresses: Arc::clone(self),
        };
        let declared = launch.containers.iter().flat_map(|it| &it.ports);
        for port in declared {
            ports
                .leases
                .insert(port.container_port, ports::shared().lease()?);
        }
        if let Ok(mut map) = self.map.write() {
            for (port, lease) in &ports.leases {
                map.insert(
                    (launch.address, *port),
                    (Ipv4Addr::LOCALHOST, lease.port).into(),
                );
            }
        }
        Some(ports)
    }

    /// An address made by hand, for tests of what dials.
    #[cfg(test)]
    pub(crate) fn put(&self, address: Ipv4Addr, port: u16, to: SocketAddr) {
        self.map.write().unwrap().insert((address, port), to);
    }
}

impl TaskPorts {
    /// The loopback port of a declared port.
    pub(super) fn local(&self, container_port: u16) -> Option<u16> {
        self.leases.get(&container_port).map(|lease| lease.port)
    }
}

impl Drop for TaskPorts {
    fn drop(&mut self) {
        if let Ok(mut map) = self.addresses.map.write() {
            for (port, lease) in &self.leases {
                let key = (self.address, *port);
                // The address may already be another task's.
                if map.get(&key).is_some_and(|to| to.port() == lease.port) {
                    map.remove(&key);
                }
            }
        }
    }
}
