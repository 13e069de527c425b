//! The tasks' addresses: unique, from a block per subnet, and not soon used again.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use sha2::{Digest, Sha256};

/// The first and last host of a block; AWS keeps the others for itself. Source:
/// <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>
const HOSTS: std::ops::RangeInclusive<u8> = 4..=254;

/// The blocks 10.0.N.0/24.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    live: BTreeSet<Ipv4Addr>,
    /// The host last given out, by block.
    last: BTreeMap<u8, u8>,
}

impl Addresses {
    /// The next free address of the subnet's block, or of the following ones when it is full.
    pub(super) fn take(&mut self, subnet: &str) -> Option<Ipv4Addr> {
        let home = block(subnet);
        let address = (0..=u8::MAX).find_map(|step| self.free_in(home.wrapping_add(step)))?;
        let [_, _, block, host] = address.octets();
        self.live.insert(address);
        self.last.insert(block, host);
        Some(address)
    }

    pub(super) fn give_back(&mut self, address: Ipv4Addr) {
        self.live.remove(&address);
    }

    fn free_in(&self, block: u8) -> Option<Ipv4Addr> {
        let last = self.last.get(&block).copied().unwrap_or(0);
        let after = HOSTS.filter(|host| *host > last);
        let before = HOSTS.filter(|host| *host <= last);
        after
            .chain(before)
            .map(|host| Ipv4Addr::new(10, 0, block, host))
            .find(|address| !self.live.contains(address))
    }
}

/// The same subnet always has the same block.
fn block(subnet: &str) -> u8 {
    Sha256::digest(subnet.as_bytes())
        .first()
        .copied()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_unique_and_go_round_before_they_come_back() {
        let mut addresses = Addresses::default();
        let first = addresses.take("subnet-a").unwrap();
        addresses.give_back(first);
        let mut seen = BTreeSet::from([first]);
        for _ in 0..250 {
            let next = addresses.take("subnet-a").unwrap();
            assert!(seen.insert(next), "{next} came back early");
            addresses.give_back(next);
        }
        assert_eq!(addresses.take("subnet-a"), Some(first));
    }

    #[test]
    fn a_full_block_overflows_into_the_next() {
        let mut addresses = Addresses::default();
        let taken: BTreeSet<_> = (0..300)
            .map(|_| addresses.take("subnet-a").unwrap())
            .collect();
        assert_eq!(taken.len(), 300);
    }
}
