//! The one allocator of loopback ports for containers.

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, TcpListener},
    ops::RangeInclusive,
    sync::{Mutex, OnceLock},
};

use super::lock;

/// Below the ephemeral range, so that no outgoing connection can sit on a port between its choice and its use.
const LOWEST: u16 = 20_000;
/// Linux's own default, used where the real range cannot be read.
const EPHEMERAL_FROM: u16 = 32_768;
const EPHEMERAL_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Hands out ports in a circle, so that one is not used again soon after it was given back: a client that still holds
/// the old address must not reach another task.
#[derive(Debug)]
pub(super) struct Ports {
    range: RangeInclusive<u16>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: u16,
    taken: BTreeSet<u16>,
}

/// A port that is one container's until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) port: u16,
    ports: &'static Ports,
}

/// Shared by every emulator in this process; two allocators would hand out the same port twice.
pub(super) fn shared() -> &'static Ports {
    static PORTS: OnceLock<Ports> = OnceLock::new();
    PORTS.get_or_init(|| {
        let range = range(fs::read_to_string(EPHEMERAL_RANGE).ok().as_deref());
        // A random beginning keeps apart the emulators of different processes, and of different runs.
        let next = fastrand::u16(range.clone());
        Ports::new(range, next)
    })
}

/// The ports to use, given the content of the kernel's `ip_local_port_range`.
fn range(ephemeral: Option<&str>) -> RangeInclusive<u16> {
    let from = ephemeral
        .and_then(|text| text.split_whitespace().next())
        .and_then(|text| text.parse().ok())
        .unwrap_or(EPHEMERAL_FROM);
    if from > LOWEST + 1_000 {
        LOWEST..=from - 1
    } else {
        // Nothing sensible is left below; being checked by binding must do.
        LOWEST..=u16::MAX
    }
}

impl Ports {
    fn new(range: RangeInclusive<u16>, next: u16) -> Self {
        Self {
            range,
            state: Mutex::new(State {
                next,
                taken: BTreeSet::new(),
            }),
        }
    }

    /// A port that nobody listens on; none when every port of the range is taken.
    pub(super) fn lease(&'static self) -> Option<Lease> {
        let mut state = lock(&self.state);
        for _ in self.range.clone() {
            let port = state.next;
            state.next = if port >= *self.range.end() {
                *self.range.start()
            } else {
                port + 1
            };
            if !state.taken.contains(&port) && is_free(port) {
                state.taken.insert(port);
                return Some(Lease { port, ports: self });
            }
        }
        None
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.ports.state).taken.remove(&self.port);
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_ends_below_the_ephemeral_one() {
        assert_eq!(range(Some("32768\t60999\n")), 20_000..=32_767);
        assert_eq!(range(Some("1024 65535")), 20_000..=65_535);
        assert_eq!(range(Some("nonsense")), 20_000..=32_767);
        assert_eq!(range(None), 20_000..=32_767);
    }

    #[test]
    fn a_port_given_back_is_not_the_next_one() {
        let first = shared().lease().unwrap();
        let port = first.port;
        drop(first);
        assert_ne!(shared().lease().unwrap().port, port);
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let held = shared().lease().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, held.port)).unwrap();
        let port = held.port;
        drop(held);
        let ports = Box::leak(Box::new(Ports::new(port..=port, port)));
        assert!(ports.lease().is_none());
        drop(listener);
        let lease = ports.lease().unwrap();
        assert!(ports.lease().is_none());
        drop(lease);
        assert!(ports.lease().is_some());
    }
}
