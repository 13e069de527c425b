//! Following a rollout by its deployment's id. "Stable" says nothing: a rollback ends stable, too, under another id.

use jiff::Timestamp;

use crate::observed::{Deployment, LiveService, RolloutState};

/// The newest rollout that is known of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Following {
    /// The deployment's id.
    id: String,
    /// When it began, by AWS's clock.
    since: Timestamp,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    UnderWay,
    /// It has been counted as failed already.
    Overdue,
    Over,
}

/// What became of a rollout since the last look. `seconds` is how long it took; `None` when its end has been counted
/// already, as that of one that was too late.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Turn {
    /// It began.
    Began(Deployment),
    /// Every task is new and healthy.
    Completed {
        deployment: Deployment,
        seconds: Option<f64>,
    },
    /// ECS took it back, or gave it up, in these words if it still shows any.
    Failed {
        id: String,
        reason: Option<String>,
        seconds: Option<f64>,
    },
    /// It has been without progress for too long.
    TimedOut { seconds: f64 },
}

impl Following {
    /// Follows a deployment that a call of ours has just begun: it may be over before the next look. `None` when it is
    /// followed already.
    pub(super) fn begin(
        following: &mut Option<Self>,
        deployment: &Deployment,
        now: Timestamp,
    ) -> Option<Turn> {
        if following
            .as_ref()
            .is_some_and(|known| known.id == deployment.id)
        {
            return None;
        }
        *following = Some(Self {
            id: deployment.id.clone(),
            since: deployment.created_at.unwrap_or(now),
            stage: Stage::UnderWay,
        });
        Some(Turn::Began(deployment.clone()))
    }

    /// What a look shows of it. `is_held` says that what is desired is held, `is_overdue` that the present rollout is.
    pub(super) fn look(
        following: &mut Option<Self>,
        service: &LiveService,
        is_held: bool,
        is_overdue: bool,
        now: Timestamp,
    ) -> Vec<Turn> {
        let deployments = service.deployments();
        let Some(primary) = deployments.first() else {
            return Vec::new();
        };
        let mut turns = Vec::new();
        if let Some(known) = following
            .as_mut()
            .filter(|known| known.stage != Stage::Over)
        {
            turns.extend(known.turn(service, &deployments, is_held, is_overdue, now));
        }
        // One that is older than what is followed is a view from before, or what ECS went back to.
        let is_newer = following
            .as_ref()
            .is_none_or(|known| primary.created_at > Some(known.since));
        if is_newer && primary.rollout == RolloutState::InProgress && !service.is_rolling_back() {
            turns.extend(Self::begin(following, primary, now));
        }
        turns
    }

    fn turn(
        &mut self,
        service: &LiveService,
        deployments: &[Deployment],
        is_held: bool,
        is_overdue: bool,
        now: Timestamp,
    ) -> Option<Turn> {
        let primary = deployments.first()?;
        let seconds = now.duration_since(self.since).as_secs_f64();
        let shown = deployments.iter().find(|shown| shown.id == self.id);
        let is_primary = primary.id == self.id;
        let has_failed = match shown {
            Some(shown) => {
                shown.rollout == RolloutState::Failed || !is_primary && service.is_rolling_back()
            }
            // It is gone, and not for something newer: ECS has gone back to what there was before.
            None => {
                let is_older = primary.created_at <= Some(self.since);
                let has_changed_since = primary.updated_at > Some(self.since);
                is_older && (has_changed_since || is_held)
            }
        };
        let uncounted = (self.stage == Stage::UnderWay).then_some(seconds);
        if is_primary && primary.rollout == RolloutState::Completed {
            self.stage = Stage::Over;
            return Some(Turn::Completed {
                deployment: primary.clone(),
                seconds: uncounted,
            });
        }
        if has_failed {
            self.stage = Stage::Over;
            return Some(Turn::Failed {
                id: self.id.clone(),
                reason: shown.map(|shown| shown.reason.clone()),
                seconds: uncounted,
            });
        }
        if is_primary && is_overdue && self.stage == Stage::UnderWay {
            self.stage = Stage::Overdue;
            return Some(Turn::TimedOut { seconds });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// Deployments, the primary one first: number, state, when it was created, when it last changed.
    fn view(deployments: &[(u32, &str, i64, i64)]) -> LiveService {
        let deployments: Vec<Value> = deployments
            .iter()
            .enumerate()
            .map(|(index, (number, state, created, updated))| {
                let status = if index == 0 { "PRIMARY" } else { "ACTIVE" };
                json!({"id": format!("ecs-svc/{number}"), "status": status, "rolloutState": state,
                    "createdAt": created, "updatedAt": updated})
            })
            .collect();
        let service = json!({"deployments": deployments});
        LiveService(service.as_object().unwrap().clone())
    }

    /// What is told after each of these views, in short; nothing is overdue and nothing held.
    fn told(views: &[LiveService]) -> Vec<String> {
        let mut following = None;
        let turns = views
            .iter()
            .flat_map(|view| Following::look(&mut following, view, false, false, at(200)));
        turns.map(|turn| short(&turn)).collect()
    }

    fn short(turn: &Turn) -> String {
        match turn {
            Turn::Began(deployment) => format!("{} began", deployment.id),
            Turn::Completed { deployment, .. } => format!("{} completed", deployment.id),
            Turn::Failed { id, .. } => format!("{id} failed"),
            Turn::TimedOut { .. } => "timed out".to_owned(),
        }
    }

    #[test]
    fn a_rollout_is_told_once_however_often_the_view_goes_back_in_time() {
        let before = view(&[(1, "COMPLETED", 10, 20)]);
        let during = view(&[(2, "IN_PROGRESS", 100, 110), (1, "COMPLETED", 10, 20)]);
        let after = view(&[(2, "COMPLETED", 100, 150)]);
        let views = [
            before.clone(),
            during.clone(),
            before.clone(),
            during.clone(),
            before,
            after.clone(),
            during,
            after,
        ];
        assert_eq!(told(&views), ["ecs-svc/2 began", "ecs-svc/2 completed"]);
    }

    #[test]
    fn one_that_failed_and_was_taken_back_between_two_looks_is_told() {
        let during = view(&[(2, "IN_PROGRESS", 100, 110), (1, "COMPLETED", 10, 20)]);
        let back = view(&[(1, "COMPLETED", 10, 150)]);
        assert_eq!(
            told(&[during, back.clone(), back]),
            ["ecs-svc/2 began", "ecs-svc/2 failed"]
        );
    }

    #[test]
    fn what_is_superseded_has_no_end_and_what_supersedes_it_begins() {
        let first = view(&[(2, "IN_PROGRESS", 100, 110), (1, "COMPLETED", 10, 20)]);
        let second = view(&[(3, "IN_PROGRESS", 120, 130), (2, "IN_PROGRESS", 100, 110)]);
        assert_eq!(
            told(&[first, second]),
            ["ecs-svc/2 began", "ecs-svc/3 began"]
        );
    }

    #[test]
    fn one_that_is_late_is_counted_once_whatever_becomes_of_it() {
        let during = view(&[(2, "IN_PROGRESS", 100, 110)]);
        let mut following = None;
        let mut look =
            |view: &LiveService, late| Following::look(&mut following, view, false, late, at(200));
        look(&during, false);
        assert_eq!(look(&during, true), [Turn::TimedOut { seconds: 100.0 }]);
        assert_eq!(look(&during, true), []);
        let [Turn::Completed { seconds: None, .. }] =
            look(&view(&[(2, "COMPLETED", 100, 199)]), false)[..]
        else {
            panic!("counted twice");
        };
    }

    #[test]
    fn a_call_of_ours_is_followed_before_it_is_seen() {
        let answer = view(&[(2, "IN_PROGRESS", 100, 100)]).primary().unwrap();
        let mut following = None;
        assert!(Following::begin(&mut following, &answer, at(100)).is_some());
        assert!(Following::begin(&mut following, &answer, at(100)).is_none());
        let gone = view(&[(1, "COMPLETED", 10, 150)]);
        let turns = Following::look(&mut following, &gone, false, false, at(200));
        assert_eq!(short(&turns[0]), "ecs-svc/2 failed");
    }
}
