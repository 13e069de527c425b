//! A random history, as a value: what the hand does to manifests, images, AWS and daemons, and when. It is played in a
//! world of its own, judged by the rules, and its end is held against what the history itself asks for.
//!
//! [`generate`] makes histories, [`stage`] carries them out, [`oracle`] knows how they must end.

pub mod generate;
pub mod oracle;
pub mod stage;

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    checker::Checker,
    history::stage::{Cue, Stage},
    journal::Entry,
    wire::Side,
    world::World,
};

/// From a daemon's end to the next one's start.
const MOMENT: Duration = Duration::from_secs(3);
/// How long after the last deed all may have to come to its end: a rollout that is given up after two minutes and rolled
/// back, and what ten minutes must lie between.
const SETTLES_WITHIN: Duration = Duration::from_secs(2_400);
/// How long after the last deed at least: the longest wait after failures, two resyncs and the passes.
const SETTLES_AFTER: Duration = Duration::from_secs(150);
/// How long nothing has been written by then: a pass that has begun may still be at it.
const QUIET: Duration = Duration::from_secs(40);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_secs(10);
/// How long everything is watched at rest.
const REST: Duration = Duration::from_secs(120);

/// What happens in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Of everything that chance decides while it is played.
    pub seed: u64,
    /// The services that there are manifests of at first.
    pub services: Vec<Kind>,
    /// What is done, in this order.
    pub steps: Vec<Step>,
}

/// A service, as it is first described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One task, without a load balancer.
    Plain,
    /// Two tasks behind a load balancer.
    Balanced,
    /// The same, replaced once when too few targets are healthy for a minute.
    Watched,
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How many seconds after the one before.
    pub after: u64,
    /// What.
    pub deed: Deed,
}

/// Something that is done. Services are named by their place, counted round and round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A manifest is edited, and with it all files are as they should be.
    Edit(usize, Edit),
    /// All files are gone, until the next edit.
    Empty,
    /// An image is pushed by this tag.
    Push(usize, u8, Release),
    /// Another hand does something in AWS.
    Meddle(usize, Meddling),
    /// From now on this goes wrong for so many seconds, and nothing else.
    Faults(Vec<Fault>, u16),
    /// Something is done to the daemon.
    Daemon(Blow),
}

/// An edit of a manifest. Whatever is edited, the file is there and whole again, unless it is just that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// The image's tag.
    Tag(u8),
    /// Whether the tag is followed.
    Track(bool),
    /// `desiredCount`.
    Count(Option<u32>),
    /// The environment of the container.
    Environment(u8),
    /// The security group.
    Group(u8),
    /// `healthCheckGracePeriodSeconds`.
    Grace(Option<u32>),
    /// The retention of the log group.
    Retention(u32),
    /// A label, or none.
    Label(Option<u8>),
    /// Whether it is behind its target group, where it was at first.
    Balanced(bool),
    /// Whether ECS's circuit breaker is on.
    Breaker(bool),
    /// `suspend`.
    Suspend(bool),
    /// `adopt`.
    Adopt(bool),
    /// Whether drift is repaired.
    Enforce(bool),
    /// The file is cut off in the middle.
    Break,
    /// The file is removed.
    Remove,
    /// The file has another name, or the first one again.
    Move,
}

/// What the tasks of an image do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// They work.
    Good,
    /// They end soon after their start.
    Crashes,
    /// They never answer a health check.
    Unhealthy,
    /// They cannot be started.
    NeverStarts,
}

/// What another hand does to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meddling {
    /// Another count.
    Count(u32),
    /// Another security group.
    Network,
    /// Other settings, which start no deployment.
    Settings,
    /// A definition of its own.
    Definition,
    /// A new deployment of the same.
    Redeploy,
    /// Our tag of this name goes; all of them, with `None`.
    Untag(Option<Tag>),
    /// StopTask of one of its tasks.
    StopTask,
    /// The processes of all of its tasks end.
    KillTasks,
    /// Its targets are deregistered.
    Deregister,
    /// Its health checks fail for so many seconds.
    Ill(u16),
    /// Another retention.
    Retention,
    /// The definition that it runs is deregistered.
    DropDefinition,
    /// `evenkeel retry`.
    Retry,
    /// It is deleted.
    Delete,
}

/// A tag of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// `evenkeel:owner`.
    Owner,
    /// `evenkeel:applied`.
    Applied,
    /// `evenkeel:image`.
    Image,
    /// `evenkeel:labels`.
    Labels,
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub what: Wrong,
    /// With which calls.
    pub of: Calls,
    /// With how many of a hundred.
    pub percent: u8,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is throttled.
    Throttle,
    /// AWS fails.
    ServerError,
    /// It is late by so many seconds.
    Delay(u8),
    /// It is never answered.
    Hang,
    /// It does not arrive.
    RequestLost,
    /// It is done, and its reply does not arrive.
    ReplyLost,
    /// What it reads is old by so many seconds.
    Stale(u16),
    /// Some of what it describes is said to be missing.
    Partial,
    /// The page that it lists comes without its items.
    PageLost,
    /// It is denied.
    Denied,
    /// The credentials have expired.
    Expired,
}

/// The calls that a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// All.
    All,
    /// Those that describe.
    Describes,
    /// Those that list.
    Lists,
    /// UpdateService.
    Updates,
    /// Those that create.
    Creates,
    /// RegisterTaskDefinition.
    Registers,
    /// TagResource.
    Tags,
}

/// Something that is done to the daemon. Another one follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// It is killed now.
    Kill,
    /// It is told to stop.
    Terminate,
    /// It is killed at one of its next calls.
    KillAt(usize, Side),
}

impl History {
    /// Plays it, and says what is wrong with it.
    #[must_use]
    pub fn play(&self) -> Vec<String> {
        self.play_and_tell(|_| {})
    }

    /// Plays it, tells everything that happened, and says what is wrong with it.
    #[must_use]
    pub fn play_and_tell(&self, mut tell: impl FnMut(&Entry) + Send) -> Vec<String> {
        let (wrong, journal) = World::run(self.seed, async |world| {
            let mut stage = Stage::set(world, &self.services);
            world.keep_running(Vec::new(), MOMENT);
            let start = Instant::now();
            for (at, cue) in self.cues() {
                sleep_until(start + at).await;
                stage.carry_out(world, &cue);
            }
            world.clear_faults();
            world.spare();
            let wrong = settle(world, &stage).await;
            world.rest(REST).await;
            let wrong = if wrong.is_empty() {
                oracle::against(world, &stage)
            } else {
                wrong
            };
            (wrong, world.cloud.take_journal())
        });
        let mut checker = Checker::new();
        for entry in &journal {
            tell(entry);
            checker.step(entry);
        }
        let violations = checker.violations().iter();
        let mut all: Vec<_> = violations.map(|one| format!("{one:?}")).collect();
        all.extend(wrong);
        all
    }

    /// Every deed at its time, and the ends of those that last.
    fn cues(&self) -> Vec<(Duration, Cue)> {
        let (mut cues, mut at) = (Vec::new(), 0);
        for step in &self.steps {
            at += step.after;
            let after = |seconds: u16| Duration::from_secs(at + u64::from(seconds));
            match step.deed {
                Deed::Meddle(service, Meddling::Ill(seconds)) => {
                    cues.push((after(seconds), Cue::Well(service)));
                }
                Deed::Faults(_, seconds) => cues.push((after(seconds), Cue::NoFaults)),
                Deed::Edit(..)
                | Deed::Empty
                | Deed::Push(..)
                | Deed::Meddle(..)
                | Deed::Daemon(_) => {}
            }
            cues.push((after(0), Cue::Do(step.deed.clone())));
        }
        cues.sort_by_key(|(at, _)| *at);
        cues
    }
}

/// Waits until all is as it should be, and says what is not if that does not come.
async fn settle(world: &World, stage: &Stage) -> Vec<String> {
    sleep(SETTLES_AFTER).await;
    let end = Instant::now() + SETTLES_WITHIN;
    loop {
        let mut wrong = oracle::against(world, stage);
        if let Some(at) = world.cloud.last_write()
            && at + QUIET > world.clock.now()
        {
            wrong.push(format!("something was still done at {at}"));
        }
        if wrong.is_empty() || Instant::now() >= end {
            return wrong;
        }
        sleep(LOOK).await;
    }
}
