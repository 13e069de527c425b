//! The scenarios: everything that a daemon does for a living.

mod drift;
mod trouble;
mod work;

use std::time::Duration;

use evenkeel::status::Phase;

use crate::{
    manifest::Manifest,
    scenario::{Act, Expected, Scenario},
};

/// Every scenario.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut all = work::all();
    all.extend(drift::all());
    all.extend(trouble::all());
    all
}

/// A scenario by its name.
#[must_use]
pub fn named(name: &str) -> Option<Scenario> {
    all().into_iter().find(|scenario| scenario.name == name)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The service of most scenarios: two tasks behind a load balancer.
fn api(tag: &str) -> Manifest {
    Manifest {
        count: Some(2),
        target_group: Some("api".to_owned()),
        ..Manifest::new("api", tag)
    }
}

fn describe(manifest: Manifest) -> Act {
    Act::Describe(Box::new(manifest))
}

fn synced(tag: &'static str, tasks: u32) -> Expected {
    Expected {
        phase: Phase::Synced,
        tag,
        tasks,
    }
}

/// With a repository and a target group for `api`, and this manifest.
fn with(manifest: Manifest) -> Vec<Act> {
    vec![Act::Furnish("api", "1", true), describe(manifest)]
}
