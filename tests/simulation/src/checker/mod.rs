//! The judge of a run: the invariants S1 to S10 and L1, by the journal alone.
//!
//! It shares no code with what it judges: each rule is written anew, from what must hold and from AWS's documentation. A
//! rule reads the journal from the beginning to the end and says what is against it. What a rule needs of the past it
//! keeps itself; what all need, which manifests bind a daemon and what it can know, is in [`Bound`].
//!
//! A write is judged when it is sent, by what it would do then: a daemon may not send what is wrong, whether it arrives
//! at once, late or never; and what has changed before it arrives nobody could know. So nothing is forgiven for a fault
//! but what the fault has hidden from the one who sends.

mod arrival;
mod bound;
mod copies;
mod counts;
mod deployment;
mod fresh;
mod held;
mod known;
mod owners;
mod quotas;
mod rest;
mod rollouts;
mod sets;
mod unknown;

use jiff::Timestamp;

pub use bound::Bound;
pub use deployment::content;

use crate::journal::Entry;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Nothing without our owner tag is changed, and nothing is deleted.
    S1,
    /// No deployment is started during a rollback, or while one with the same aim runs.
    S2,
    /// At most one revision per definition.
    S3,
    /// What is held is not tried again.
    S4,
    /// `desiredCount` is not touched when it is not declared.
    S5,
    /// An empty, unreadable or shrunken set of manifests changes nothing.
    S6,
    /// Right before a write, the service is looked at again.
    S7,
    /// After a failed or partial read nothing is written.
    S8,
    /// Writes stay under a quarter of each documented quota, and many services are not deployed at once unasked.
    S9,
    /// What matches is left alone.
    S10,
    /// From any state, action within 30 seconds and arrival within 60 more than ECS's own time.
    L1,
}

/// Something that may not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// When it happened.
    pub at: Timestamp,
    /// What it is against.
    pub of: Invariant,
    /// What happened.
    pub what: String,
}

/// One thing that must hold.
trait Rule {
    /// Which.
    fn invariant(&self) -> Invariant;

    /// The next entry. `bound` is as it is with this entry.
    fn step(&mut self, entry: &Entry, bound: &Bound) -> Option<String>;
}

/// Judges a run by its journal.
#[derive(Default)]
pub struct Checker {
    bound: Bound,
    rules: Vec<Box<dyn Rule + Send>>,
    violations: Vec<Violation>,
}

impl std::fmt::Debug for Checker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checker")
            .field("violations", &self.violations)
            .finish_non_exhaustive()
    }
}

impl Checker {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            rules: vec![
                Box::new(owners::Owners::default()),
                Box::new(rollouts::Rollouts),
                Box::new(copies::Copies::default()),
                Box::new(held::HeldBack),
                Box::new(counts::Counts),
                Box::new(sets::Sets),
                Box::new(fresh::Fresh),
                Box::new(unknown::Unknown::default()),
                Box::new(quotas::Quotas::default()),
                Box::new(quotas::Brake::default()),
                Box::new(rest::Rest::default()),
                Box::new(rest::NoEffect),
                Box::new(arrival::Arrival::default()),
            ],
            ..Self::default()
        }
    }

    /// The next entry of the journal.
    pub fn step(&mut self, entry: &Entry) {
        self.bound.step(entry);
        for rule in &mut self.rules {
            let violation = rule.step(entry, &self.bound).map(|what| Violation {
                at: entry.at,
                of: rule.invariant(),
                what,
            });
            self.violations.extend(violation);
        }
    }

    /// What was against the rules so far.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

/// Judges a whole journal.
#[must_use]
pub fn judge(journal: &[Entry]) -> Vec<Violation> {
    let mut checker = Checker::new();
    journal.iter().for_each(|entry| checker.step(entry));
    checker.violations
}
