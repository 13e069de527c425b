//! What a fleet costs, by its size: `make bench-fleet`, docs/performance.md.
//!
//! The daemon's real loop and the real SDK in virtual time, against the emulator's core with AWS's own quotas. A fleet is
//! laid as an earlier daemon would have left it; then it is looked at in peace, edited, and edited all at once.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod measure;
mod memory;
mod table;

use simulation::{fleet::Fleet, world::World};

use crate::measure::Figures;

const SEED: u64 = 1;

/// Services, and over how many clusters.
const SIZES: [(usize, usize); 5] = [(1, 1), (10, 1), (100, 2), (1_000, 5), (10_000, 20)];

fn main() {
    memory::count();
    let wanted: Option<Vec<usize>> = std::env::var("SIZES").ok().map(|sizes| {
        let sizes = sizes.split_whitespace();
        sizes.filter_map(|size| size.parse().ok()).collect()
    });
    let is_wanted = |size: usize| wanted.as_ref().is_none_or(|sizes| sizes.contains(&size));
    let mut all = Vec::new();
    for (services, clusters) in SIZES {
        if is_wanted(services) {
            let figures = measure(services, clusters);
            println!("{}", table::of_size(&figures));
            all.push(figures);
        }
    }
    println!("{}", table::of_all(&all));
}

fn measure(services: usize, clusters: usize) -> Figures {
    World::run(SEED, async |world| {
        let mut fleet = Fleet::lay(world, services, clusters).await;
        measure::measure(world, &mut fleet).await
    })
}
