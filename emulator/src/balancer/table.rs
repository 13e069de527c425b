//! What one listener does with requests, and the targets it may send them to.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::target::Target;
use crate::core::{Action, RequestHead, Route, Weighted};

/// In force until the next one replaces it as a whole.
#[derive(Debug, Default)]
pub(super) struct Table {
    route: Option<Route>,
    /// By the ARN of their group.
    targets: HashMap<String, Vec<Arc<Target>>>,
}

pub(super) enum Pick {
    Target(Arc<Target>),
    AllTried,
    NoTarget,
}

impl Table {
    pub(super) fn new(route: Route, targets: Vec<(String, Arc<Target>)>) -> Self {
        let mut by_group: HashMap<String, Vec<Arc<Target>>> = HashMap::new();
        for (group, target) in targets {
            by_group.entry(group).or_default().push(target);
        }
        Self {
            route: Some(route),
            targets: by_group,
        }
    }

    /// `None` while no listener is there.
    pub(super) fn action(&self, request: &RequestHead<'_>) -> Option<&Action> {
        self.route.as_ref().map(|route| route.action(request))
    }

    pub(super) fn idle(&self) -> Duration {
        self.route.as_ref().map_or(Route::IDLE, |route| route.idle)
    }

    pub(super) fn drops_invalid_headers(&self) -> bool {
        self.route
            .as_ref()
            .is_some_and(|route| route.drop_invalid_headers)
    }

    /// The target of a group whose turn it is, of those that are not among the tried.
    pub(super) fn pick(&self, group: &str, turn: usize, tried: &[Arc<Target>]) -> Pick {
        let targets = self
            .targets
            .get(group)
            .map(Vec::as_slice)
            .unwrap_or_default();
        if targets.is_empty() {
            return Pick::NoTarget;
        }
        let first = turn % targets.len();
        let untried = |target: &&Arc<Target>| !tried.iter().any(|it| Arc::ptr_eq(it, target));
        targets
            .iter()
            .cycle()
            .skip(first)
            .take(targets.len())
            .find(untried)
            .map_or(Pick::AllTried, |target| Pick::Target(Arc::clone(target)))
    }
}

/// The group whose turn it is: over as many turns as all weights make together, each has as many as its weight.
pub(super) fn share(groups: &[Weighted], turn: usize) -> Option<&str> {
    let total: usize = groups.iter().map(|it| usize::from(it.weight)).sum();
    let mut place = turn.checked_rem(total)?;
    for it in groups {
        match place.checked_sub(usize::from(it.weight)) {
            None => return Some(&it.group),
            Some(rest) => place = rest,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_share_by_weight() {
        let groups = [("a", 1), ("b", 0), ("c", 3)].map(|(group, weight)| Weighted {
            group: group.to_owned(),
            weight,
        });
        let turns: Vec<&str> = (0..8).filter_map(|turn| share(&groups, turn)).collect();
        assert_eq!(turns, ["a", "c", "c", "c", "a", "c", "c", "c"]);
        assert_eq!(share(&groups[1..2], 5), None);
        assert_eq!(share(&[], 0), None);
    }
}
