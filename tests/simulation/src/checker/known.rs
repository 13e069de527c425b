//! What a daemon can know of AWS: what its reads have shown, and what has been changed since.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::bound::of_family;
use crate::{
    journal::{Called, Caller, Entry},
    sight::Subject,
};

/// What each daemon was last told by each of its reads, and what has changed.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By operation and service.
    views: BTreeMap<(Caller, String, String), View>,
    changes: BTreeMap<Subject, Vec<Change>>,
}

/// A read that was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View {
    /// When AWS answered.
    pub(super) at: Timestamp,
    /// Nothing that came later is in it.
    pub(super) shows: Timestamp,
    /// The newest that this read has shown so far: views may go back in time.
    pub(super) has_shown: Timestamp,
}

/// Something was changed.
#[derive(Debug, Clone, Copy)]
struct Change {
    at: Timestamp,
    by: Caller,
    is_told: bool,
}

impl Known {
    pub(super) fn step(&mut self, entry: &Entry) {
        let Some(called) = entry.called() else { return };
        match &called.change {
            Some(change) if change.before != change.after => {
                let change = Change {
                    at: entry.at,
                    by: called.by,
                    is_told: called.is_told,
                };
                self.changes
                    .entry(subject(called))
                    .or_default()
                    .push(change);
            }
            Some(_) => {}
            None if is_answer(called) => {
                for name in asked_of(called) {
                    let shows = shown(called, &name);
                    let key = (called.by, called.operation.clone(), name);
                    let before = self.views.get(&key).map(|view| view.has_shown);
                    let view = View {
                        at: entry.at,
                        shows,
                        has_shown: before.map_or(shows, |before| before.max(shows)),
                    };
                    self.views.insert(key, view);
                }
            }
            None => {}
        }
    }

    /// What a daemon was last told about a service by this operation.
    pub(super) fn view(&self, by: Caller, operation: &str, name: &str) -> Option<View> {
        let key = (by, operation.to_owned(), name.to_owned());
        self.views.get(&key).copied()
    }

    /// Whether the caller of a change to a service cannot know of what began then: none of its reads has shown it, and it has
    /// changed nothing of that service since. It started after that, and its reads are old.
    pub(super) fn is_hidden(&self, sent: &Called, began: Timestamp) -> bool {
        let subject = subject(sent);
        let Subject::Service(name) = &subject else {
            return false;
        };
        let has_shown = |read: &str| {
            let view = self.view(sent.by, read, name);
            view.is_some_and(|view| view.has_shown >= began)
        };
        let mut changes = self.changes.get(&subject).into_iter().flatten();
        !has_shown("DescribeServices")
            && !has_shown("ListServiceDeployments")
            && !changes.any(|one| one.by == sent.by && one.at >= began)
    }

    /// Whether something has changed what a call is about that its caller cannot know: after what its last look has
    /// shown, and not by a call of its own that it made since and was answered.
    pub(super) fn has_changed_unseen(&self, sent: &Called) -> bool {
        let subject = subject(sent);
        let (look, name) = match &subject {
            Subject::Service(name) => ("DescribeServices", Some(name.as_str())),
            Subject::Family(family) => ("ListTaskDefinitions", of_family(family)),
            Subject::LogGroup(group) => ("DescribeLogGroups", of_log_group(group)),
            Subject::Other => return false,
        };
        let view = name.and_then(|name| self.view(sent.by, look, name));
        let changes = self.changes.get(&subject);
        view.zip(changes).is_some_and(|(view, changes)| {
            let is_known = |one: &Change| one.by == sent.by && one.is_told && one.at >= view.at;
            changes
                .iter()
                .any(|one| one.at >= view.shows && !is_known(one))
        })
    }
}

fn subject(called: &Called) -> Subject {
    Subject::of(called.service, &called.operation, &called.input)
}

/// The services about which a read asks, by the names that manifests give to what belongs to them. That of target groups
/// has no such name.
pub(super) fn asked_of(called: &Called) -> Vec<String> {
    let text = |member: &str| called.input[member].as_str().unwrap_or_default();
    let last = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    let one = match called.operation.as_str() {
        "DescribeServices" => {
            let names = called.input["services"].as_array().into_iter().flatten();
            return names.filter_map(|name| name.as_str().map(last)).collect();
        }
        // It is about all of them.
        "ListServices" => Some(String::new()),
        "ListServiceDeployments" => Some(last(text("service"))),
        "ListTaskDefinitions" => of_family(text("familyPrefix")).map(str::to_owned),
        "DescribeLogGroups" => of_log_group(text("logGroupNamePrefix")).map(str::to_owned),
        "DescribeImages" => Some(text("repositoryName").to_owned()),
        _ => None,
    };
    one.into_iter().collect()
}

/// Until when what an answer says of a service is so. A page without its items looks like one that has none, and who has
/// fallen out of it like one that there is not: it shows nothing.
fn shown(called: &Called, name: &String) -> Timestamp {
    let is_hidden = called.faults.contains(&"pageLost") || called.fallen_out.contains(name);
    if is_hidden {
        Timestamp::MIN
    } else {
        called.shows
    }
}

/// Whether a read was answered. That there is no such image is an answer.
pub(super) fn is_answer(called: &Called) -> bool {
    let code = called.outcome.as_ref().err().map(|error| error.code);
    let is_none = matches!(
        code,
        Some("ImageNotFoundException" | "RepositoryNotFoundException")
    );
    called.is_answered() || called.is_told && is_none
}

pub(super) fn of_log_group(name: &str) -> Option<&str> {
    name.strip_prefix("/ecs/")
}
