//! What a service's scheduler does next. Pure: a situation in, a decision out.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>

/// Everything the decision depends on.
#[derive(Debug, Clone)]
pub(super) struct Situation {
    pub(super) desired: u32,
    pub(super) minimum_percent: u32,
    pub(super) maximum_percent: u32,
    /// The primary first, then newest first.
    pub(super) sides: Vec<Side>,
    /// All tasks that are not gone, oldest first.
    pub(super) tasks: Vec<Member>,
    /// Launches are not held back.
    pub(super) may_launch: bool,
}

/// One deployment.
#[derive(Debug, Clone)]
pub(super) struct Side {
    pub(super) desired: u32,
    /// Its lost tasks are replaced although it is not the primary.
    pub(super) proven: bool,
    /// It failed and gets no new tasks.
    pub(super) failed: bool,
}

/// One task.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) task: String,
    /// Its deployment, as an index into the sides.
    pub(super) side: usize,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Its health checks fail; it is to be replaced.
    Unhealthy,
    /// Not running yet.
    Starting,
    /// Running, not yet known to be healthy.
    Running,
    Healthy,
    /// Told to stop; still counted against the maximum.
    Stopping,
}

/// What to do. Each side's new desired count comes with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) starts: Vec<Start>,
    /// Stopped because they are too many.
    pub(super) surplus: Vec<String>,
    /// Stopped because they are unhealthy.
    pub(super) unhealthy: Vec<String>,
    pub(super) desired: Vec<u32>,
    /// The percentages leave no way on.
    pub(super) blocked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) side: usize,
    pub(super) count: u32,
    /// How many of them stand in for unhealthy tasks.
    pub(super) replacing: u32,
}

struct Work<'a> {
    situation: &'a Situation,
    decision: Decision,
    /// Still free below the maximum.
    room: u32,
}

/// Decides one step; what it leads to is looked at again.
pub(super) fn decide(situation: &Situation) -> Decision {
    let counted = count(situation.tasks.iter());
    let maximum = percent(situation.desired, situation.maximum_percent) / 100;
    let mut work = Work {
        situation,
        room: maximum.saturating_sub(counted),
        decision: Decision {
            desired: situation.sides.iter().map(|side| side.desired).collect(),
            ..Decision::default()
        },
    };
    if let Some(desired) = work.decision.desired.first_mut() {
        *desired = situation.desired;
    }
    work.give_up_lost();
    let missing = work.start();
    work.scale_in_primary();
    work.retire_old(missing);
    work.stop_unhealthy();
    let idle = situation
        .tasks
        .iter()
        .all(|task| task.phase == Phase::Healthy);
    let decision = &work.decision;
    let nothing = decision.starts.is_empty() && decision.surplus.is_empty();
    work.decision.blocked = missing > 0 && nothing && idle && situation.may_launch;
    work.decision
}

impl Work<'_> {
    fn members(&self, side: usize) -> impl DoubleEndedIterator<Item = &Member> {
        let leaving = Phase::Stopping;
        self.situation
            .tasks
            .iter()
            .filter(move |task| task.side == side && task.phase != leaving)
    }

    fn good(&self, side: usize) -> u32 {
        count(
            self.members(side)
                .filter(|task| task.phase != Phase::Unhealthy),
        )
    }

    fn healthy(&self, side: usize) -> u32 {
        count(
            self.members(side)
                .filter(|task| task.phase == Phase::Healthy),
        )
    }

    fn all_healthy(&self) -> u32 {
        let tasks = self.situation.tasks.iter();
        count(tasks.filter(|task| task.phase == Phase::Healthy))
    }

    /// The least number of healthy tasks: rounded up.
    fn minimum(&self) -> u32 {
        percent(self.situation.desired, self.situation.minimum_percent).div_ceil(100)
    }

    /// Old tasks that are lost and that the primary's healthy tasks stand in for are not wanted back.
    fn give_up_lost(&mut self) {
        let wanted = self.situation.desired.saturating_sub(self.healthy(0));
        let has: u32 = self.decision.desired.iter().skip(1).sum();
        let mut surplus = has.saturating_sub(wanted);
        for at in 1..self.situation.sides.len() {
            let there = count(self.members(at));
            if let Some(desired) = self.decision.desired.get_mut(at) {
                let given_up = desired.saturating_sub(there).min(surplus);
                *desired -= given_up;
                surplus -= given_up;
            }
        }
    }

    /// Starts what is missing as far as there is room. Returns how many of the primary's found none.
    ///
    /// Below the minimum, an old deployment that has proven itself comes first.
    fn start(&mut self) -> u32 {
        if !self.situation.may_launch {
            return 0;
        }
        let olds = 1..self.situation.sides.len();
        if self.all_healthy() < self.minimum() {
            for side in olds.clone() {
                self.start_side(side);
            }
            return self.start_side(0);
        }
        let missing = self.start_side(0);
        for side in olds {
            self.start_side(side);
        }
        missing
    }

    fn start_side(&mut self, at: usize) -> u32 {
        let Some(side) = self.situation.sides.get(at) else {
            return 0;
        };
        if side.failed || (at > 0 && !side.proven) {
            return 0;
        }
        let desired = self.decision.desired.get(at).copied().unwrap_or(0);
        let need = desired.saturating_sub(self.good(at));
        let count_now = need.min(self.room);
        if count_now > 0 {
            let unhealthy = count(self.members(at).filter(|t| t.phase == Phase::Unhealthy));
            self.room -= count_now;
            self.decision.starts.push(Start {
                side: at,
                count: count_now,
                replacing: unhealthy.min(count_now),
            });
        }
        need - count_now
    }

    /// The primary has more than it should: the least useful go, and of equals the newest.
    fn scale_in_primary(&mut self) {
        let excess = self.good(0).saturating_sub(self.situation.desired);
        let mut good: Vec<&Member> = self
            .members(0)
            .rev()
            .filter(|task| task.phase != Phase::Unhealthy)
            .collect();
        good.sort_by_key(|task| task.phase);
        let stops: Vec<String> = good
            .into_iter()
            .take(usize::try_from(excess).unwrap_or(usize::MAX))
            .map(|task| task.task.clone())
            .collect();
        self.decision.surplus.extend(stops);
    }

    /// Old deployments give way: as far as the primary's healthy tasks stand in for theirs, and further when the
    /// primary needs room, but never below the minimum of healthy tasks.
    fn retire_old(&mut self, missing: u32) {
        let healthy = self.healthy(0);
        let mut spare = self.all_healthy().saturating_sub(self.minimum());
        let wanted = self.situation.desired.saturating_sub(healthy);
        let has: u32 = self.decision.desired.iter().skip(1).sum();
        let mut retire = has.saturating_sub(wanted).max(missing);
        let mut order: Vec<usize> = (1..self.situation.sides.len()).collect();
        let proven = |at: &usize| {
            self.situation
                .sides
                .get(*at)
                .is_some_and(|side| side.proven)
        };
        order.sort_by_key(proven);
        for at in order {
            let is_proven = proven(&at);
            let mut members: Vec<&Member> = self.members(at).collect();
            members.sort_by_key(|task| task.phase);
            let mut left = count(members.iter().copied());
            if is_proven {
                left = left.max(self.decision.desired.get(at).copied().unwrap_or(0));
            }
            let mut stops = Vec::new();
            for task in members {
                let serves = task.phase == Phase::Healthy;
                let pointless = !is_proven && !serves;
                if !pointless && (retire == 0 || serves && spare == 0) {
                    continue;
                }
                if serves {
                    spare -= 1;
                }
                retire = retire.saturating_sub(1);
                left -= 1;
                stops.push(task.task.clone());
            }
            self.decision.surplus.extend(stops);
            if let Some(desired) = self.decision.desired.get_mut(at) {
                *desired = left;
            }
        }
    }

    /// Unhealthy tasks go once others stand in for them; when there is no room for others, one at a time before them.
    fn stop_unhealthy(&mut self) {
        let stopping = self
            .situation
            .tasks
            .iter()
            .any(|t| t.phase == Phase::Stopping);
        let mut may_make_room = self.room == 0 && !stopping && self.decision.starts.is_empty();
        for at in 0..self.situation.sides.len() {
            let stalled = self.situation.sides.get(at).is_some_and(|side| side.failed);
            let desired = self.decision.desired.get(at).copied().unwrap_or(0);
            let replaced = self.healthy(at) >= desired;
            if stalled && at == 0 {
                continue;
            }
            let unhealthy: Vec<String> = self
                .members(at)
                .filter(|task| task.phase == Phase::Unhealthy)
                .map(|task| task.task.clone())
                .filter(|task| !self.decision.surplus.contains(task))
                .collect();
            for task in unhealthy {
                if replaced || may_make_room {
                    may_make_room = false;
                    self.decision.unhealthy.push(task);
                }
            }
        }
    }
}

fn count<'a>(members: impl Iterator<Item = &'a Member>) -> u32 {
    u32::try_from(members.count()).unwrap_or(u32::MAX)
}

/// `desired` times `percent`; the caller divides, rounding as it must.
fn percent(desired: u32, percent: u32) -> u32 {
    desired.saturating_mul(percent)
}

#[cfg(test)]
mod tests;
