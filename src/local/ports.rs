//! Ports on loopback: checked before anything is started, and picked when the number is 0.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

/// Picked ports lie below the system's ephemeral range (a stranger's outgoing connection could take one of those
/// while a child restarts) and below the range from which the emulator gives ports to tasks.
const PICKED: std::ops::Range<u16> = 10_000..20_000;
const ATTEMPTS: usize = 100;

/// Why a port cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum PortError {
    /// Somebody else listens there.
    #[error("port {port} on 127.0.0.1, for the {purpose}, is taken{}", by(holder))]
    Taken {
        /// The port.
        port: u16,
        /// What it was for.
        purpose: &'static str,
        /// The variable that chooses another.
        variable: &'static str,
        /// Who has it, when the system tells.
        holder: Option<Holder>,
    },
    /// The port may not be bound.
    #[error("cannot listen on port {port} of 127.0.0.1, for the {purpose}: {source}")]
    Refused {
        /// The port.
        port: u16,
        /// What it was for.
        purpose: &'static str,
        /// The variable that chooses another.
        variable: &'static str,
        /// The system's word.
        source: io::Error,
    },
    /// Nothing was free.
    #[error("no free port between {} and {} on 127.0.0.1", PICKED.start, PICKED.end)]
    Exhausted,
}

impl PortError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::Taken { variable, .. } | Self::Refused { variable, .. } => Some(format!(
                "choose another with {variable}=PORT; 0 picks a free one"
            )),
            Self::Exhausted => None,
        }
    }
}

/// A process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    /// Its id.
    pub(super) pid: u32,
    /// Its name, as the system shows it.
    pub(super) name: String,
}

fn by(holder: &Option<Holder>) -> String {
    holder
        .as_ref()
        .map(|holder| format!(" by {} (process {})", holder.name, holder.pid))
        .unwrap_or_default()
}

/// A port that is held until whoever is meant to listen there is about to start.
#[derive(Debug)]
pub(super) struct Reserved {
    listener: TcpListener,
    address: SocketAddr,
}

impl Reserved {
    /// Holds `port`, or a free one when it is 0.
    pub(super) fn new(
        port: u16,
        purpose: &'static str,
        variable: &'static str,
    ) -> Result<Self, PortError> {
        if port == 0 {
            return Self::pick();
        }
        Self::bind(port).map_err(|source| {
            if source.kind() == io::ErrorKind::AddrInUse {
                PortError::Taken {
                    port,
                    purpose,
                    variable,
                    holder: listener_of(port),
                }
            } else {
                PortError::Refused {
                    port,
                    purpose,
                    variable,
                    source,
                }
            }
        })
    }

    /// Holds a free port.
    pub(super) fn pick() -> Result<Self, PortError> {
        (0..ATTEMPTS)
            .find_map(|_| Self::bind(fastrand::u16(PICKED)).ok())
            .ok_or(PortError::Exhausted)
    }

    fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address that is held.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets go of the port, for the one who shall listen there.
    pub(super) fn release(self) -> SocketAddr {
        drop(self.listener);
        self.address
    }
}

/// Who listens on a port, as far as `/proc` tells.
fn listener_of(port: u16) -> Option<Holder> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            let inodes: Vec<_> = table.lines().filter_map(|line| inode(line, port)).collect();
            inodes
        })
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let holds = fs::read_dir(process.path().join("fd"))
            .ok()?
            .flatten()
            .any(|fd| {
                fs::read_link(fd.path()).is_ok_and(|target| {
                    inodes
                        .iter()
                        .any(|inode| target.as_os_str() == inode.as_str())
                })
            });
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        holds.then(|| Holder {
            pid,
            name: name.trim().to_owned(),
        })
    })
}

/// The socket's inode when this line of `/proc/net/tcp` is a listener on `port`.
/// Columns: <https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html>.
fn inode(line: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (_, local) = columns.get(1)?.rsplit_once(':')?;
    let listens = *columns.get(3)? == LISTEN && u16::from_str_radix(local, 16) == Ok(port);
    listens.then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_the_port_the_variable_and_the_holder() {
        let held = Reserved::pick().unwrap();
        let port = held.address().port();
        let error = Reserved::new(port, "load balancer", "EVENKEEL_LB_PORT").unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("port {port}")), "{text}");
        assert!(text.contains("load balancer"), "{text}");
        if cfg!(target_os = "linux") {
            assert!(
                text.contains(&format!("(process {})", std::process::id())),
                "{text}"
            );
        }
        assert!(error.help().unwrap().contains("EVENKEEL_LB_PORT"));
    }

    #[test]
    fn a_released_port_can_be_taken_at_once() {
        let address = Reserved::pick().unwrap().release();
        TcpListener::bind(address).unwrap();
        assert!(PICKED.contains(&address.port()));
    }

    #[test]
    fn only_listeners_on_the_port_count() {
        let line = |state: &str| {
            format!(
                "   0: 0100007F:1F90 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100"
            )
        };
        assert_eq!(inode(&line("0A"), 8080).as_deref(), Some("4242"));
        assert_eq!(inode(&line("01"), 8080), None);
        assert_eq!(inode(&line("0A"), 8081), None);
        assert_eq!(inode("  sl  local_address rem_address   st", 8080), None);
    }
}
