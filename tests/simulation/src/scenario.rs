//! A scenario: what there is, what the hand does and when, and how all must end.

use std::time::Duration;

use emulator::core::Service;
use evenkeel::status::Phase;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::{
    end::End,
    journal::Entry,
    manifest::{Files, Manifest},
    tasks::Script,
    wire::Fuse,
    world::World,
};

/// From a daemon's end to the next one's start.
const MOMENT: Duration = Duration::from_secs(3);
/// How long everything is watched at rest.
const REST: Duration = Duration::from_secs(120);

/// A scenario, as a value.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What there is before the first daemon starts.
    pub first: Vec<Act>,
    /// What is done later, each so long after the first daemon's start.
    pub then: Vec<(Duration, Act)>,
    /// When all must be at rest, after that start.
    pub rests: Duration,
    /// How the services must be then.
    pub ends: Vec<(&'static str, Expected)>,
}

/// Something that the hand does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Makes a repository with one image of this tag, and a target group, if `true`, both by this name.
    Furnish(&'static str, &'static str, bool),
    /// Pushes an image.
    Push(&'static str, &'static str, Script),
    /// Has the tasks of an image follow another script from now on.
    Reform(&'static str, &'static str, Script),
    /// Writes a manifest, in place of the one of the same service.
    Describe(Box<Manifest>),
    /// Removes a manifest.
    Remove(&'static str),
    /// Puts these files in place of all.
    Files(Files),
    /// A call of ECS.
    Ecs(&'static str, Value),
    /// A call of CloudWatch Logs.
    Logs(&'static str, Value),
    /// `evenkeel retry`.
    Retry(&'static str),
    /// Health checks fail, or pass again.
    Ill(&'static str, bool),
    /// Every process of a service ends.
    KillTasks(&'static str),
    /// Things go wrong, by a plan of faults.
    Faults(Value),
    /// Nothing goes wrong any more.
    NoFaults,
}

/// How a service must be at the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// What the daemon tells of it.
    pub phase: Phase,
    /// The tag of the image that it runs.
    pub tag: &'static str,
    /// How many tasks.
    pub tasks: u32,
}

/// What came of a run.
#[derive(Debug)]
pub struct Played {
    /// All that happened.
    pub journal: Vec<Entry>,
    /// How it ended.
    pub end: End,
}

impl Act {
    /// Does it.
    pub fn carry_out(&self, world: &mut World) {
        match self.clone() {
            Self::Furnish(name, tag, is_balanced) => {
                world.repository(name, tag, Script::GOOD);
                if is_balanced {
                    world.target_group(name);
                }
            }
            Self::Push(name, tag, script) => world.push(name, tag, script),
            Self::Reform(name, tag, script) => world.reform(name, tag, script),
            Self::Describe(manifest) => world.describe(*manifest),
            Self::Remove(name) => world.remove(name),
            Self::Files(files) => world.set_manifests(files),
            Self::Ecs(operation, input) => {
                world.call(Service::Ecs, operation, input);
            }
            Self::Logs(operation, input) => {
                world.call(Service::Logs, operation, input);
            }
            Self::Retry(name) => world.retry(name),
            Self::Ill(name, is_ill) => world.set_ill(name, is_ill),
            Self::KillTasks(name) => world.kill_tasks(name),
            Self::Faults(plan) => world.set_faults(&plan),
            Self::NoFaults => world.clear_faults(),
        }
    }
}

impl Scenario {
    /// Plays it. The n-th daemon is ended by the n-th fuse, and another one started a moment later.
    #[must_use]
    pub fn play(&self, seed: u64, fuses: &[Fuse]) -> Played {
        self.play_in(seed, fuses, |_| {})
    }

    /// Plays it in a world that something has been done to before.
    #[must_use]
    pub fn play_in(
        &self,
        seed: u64,
        fuses: &[Fuse],
        prepare: impl FnOnce(&mut World) + Send,
    ) -> Played {
        World::run(seed, async |world| {
            prepare(world);
            for act in &self.first {
                act.carry_out(world);
            }
            let start = Instant::now();
            world.keep_running(fuses.to_vec(), MOMENT);
            for (after, act) in &self.then {
                sleep_until(start + *after).await;
                act.carry_out(world);
            }
            sleep_until(start + self.rests).await;
            world.rest(REST).await;
            Played {
                end: End::of(world),
                journal: world.cloud.take_journal(),
            }
        })
    }
}
