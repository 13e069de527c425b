//! S3: at most one revision per definition; two where a reply was lost and lists were stale. A call that was itself late
//! may add one: no list could show it when it was given up. And two where a list has come without its items, which looks
//! like one that has none.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Bound, Invariant, Rule,
    bound::service_of,
    deployment::{content, tag},
};
use crate::{
    daemon::OWNER,
    furniture::CLUSTER,
    journal::{Called, Caller, Entry, What},
};

#[derive(Default)]
pub(super) struct Copies {
    /// Services of whose definitions a daemon may not know that they have been registered.
    unheard: BTreeSet<String>,
    /// Who has registered what.
    registered: BTreeSet<(Caller, String)>,
    /// Whether lists have ever been stale.
    were_stale: bool,
    /// Whether a list has ever come without its items.
    were_lost: bool,
    /// How many registrations of a service were late.
    late: BTreeMap<String, usize>,
}

impl Rule for Copies {
    fn invariant(&self) -> Invariant {
        Invariant::S3
    }

    fn step(&mut self, entry: &Entry, _: &Bound) -> Option<String> {
        if let What::Ended(number) = entry.what {
            let ended = self
                .registered
                .iter()
                .filter(|(by, _)| *by == Caller::Daemon(number));
            self.unheard.extend(ended.map(|(_, name)| name.clone()));
        }
        let called = entry.called()?;
        let is_list = called.operation == "ListTaskDefinitions";
        self.were_stale |= is_list && !called.faults.is_empty();
        self.were_lost |= is_list && called.faults.contains(&"pageLost");
        if called.operation != "RegisterTaskDefinition"
            || !called.is_write_of_daemon()
            || !called.is_done
        {
            return None;
        }
        let name = service_of(called)?;
        self.registered.insert((called.by, name.clone()));
        if called.faults.contains(&"delay") {
            *self.late.entry(name.clone()).or_default() += 1;
        }
        let is_blind = self.were_lost || self.unheard.contains(&name) && self.were_stale;
        let late = self.late.get(&name).copied().unwrap_or_default();
        let allowed = 1 + late + usize::from(is_blind);
        if !called.is_told || !called.faults.is_empty() {
            self.unheard.insert(name.clone());
        }
        let copies = copies(called, &name)?;
        (copies > allowed).then(|| format!("{copies} revisions of {name} are the same"))
    }
}

/// How many revisions of ours there are now with the content that was registered.
fn copies(called: &Called, name: &str) -> Option<usize> {
    let change = called.change.as_ref()?;
    let ours = format!("{OWNER}/{CLUSTER}/{name}");
    let newest = change.after.definitions.last()?;
    let same = change.after.definitions.iter().filter(|one| {
        tag(&one["tags"], "evenkeel:owner") == Some(&ours) && content(one) == content(newest)
    });
    Some(same.count())
}
