//! Trouble: releases that fail, and targets that turn unhealthy.

use evenkeel::status::Phase;

use super::{api, describe, secs, synced, with};
use crate::{
    manifest::{Manifest, TargetHealth},
    scenario::{Act, Expected, Scenario},
    tasks::Script,
};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        fail_and_roll_back(),
        hold_and_retry(),
        fail_and_supersede(),
        overdue(),
        target_health(),
    ]
}

fn held(tag: &'static str) -> Expected {
    Expected {
        phase: Phase::Held,
        tag,
        tasks: 2,
    }
}

fn release_of(script: Script) -> Vec<(std::time::Duration, Act)> {
    vec![
        (secs(180), Act::Push("api", "2", script)),
        (secs(180), describe(api("2"))),
    ]
}

fn fail_and_roll_back() -> Scenario {
    Scenario {
        name: "fail and roll back",
        first: with(api("1")),
        then: release_of(Script::CRASHES),
        rests: secs(900),
        ends: vec![("api", held("1"))],
    }
}

fn hold_and_retry() -> Scenario {
    let mut then = release_of(Script::CRASHES);
    then.extend([
        (secs(900), Act::Reform("api", "2", Script::GOOD)),
        (secs(900), Act::Retry("api")),
    ]);
    Scenario {
        name: "hold and retry",
        first: with(api("1")),
        then,
        rests: secs(1200),
        ends: vec![("api", synced("2", 2))],
    }
}

fn fail_and_supersede() -> Scenario {
    let mut then = release_of(Script::CRASHES);
    then.extend([
        (secs(900), Act::Push("api", "3", Script::GOOD)),
        (secs(900), describe(api("3"))),
    ]);
    Scenario {
        name: "fail and supersede",
        first: with(api("1")),
        then,
        rests: secs(1200),
        ends: vec![("api", synced("3", 2))],
    }
}

/// Without a circuit breaker, it is the daemon that gives a rollout up.
fn overdue() -> Scenario {
    let manifest = |tag| Manifest {
        breaker: false,
        timeout: secs(120),
        ..api(tag)
    };
    Scenario {
        name: "overdue",
        first: with(manifest("1")),
        then: vec![
            (secs(180), Act::Push("api", "2", Script::UNHEALTHY)),
            (secs(180), describe(manifest("2"))),
        ],
        rests: secs(900),
        ends: vec![("api", held("1"))],
    }
}

/// Only a deployment of new tasks mends it, and one is enough.
fn target_health() -> Scenario {
    let manifest = Manifest {
        target_health: Some(TargetHealth {
            minimum: 2,
            grace: secs(60),
            redeploy: true,
        }),
        ..api("1")
    };
    Scenario {
        name: "target health",
        first: with(manifest),
        then: vec![
            (secs(200), Act::Ill("api", true)),
            (secs(420), Act::Ill("api", false)),
        ],
        rests: secs(900),
        ends: vec![("api", synced("1", 2))],
    }
}
