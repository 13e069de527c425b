//! A daemon that is killed at any of its calls is followed by one that comes to the same end, by the rules; and so is
//! that one, killed in its turn.
//!
//! `SOAK=1` kills on both sides of every call, and in the short scenarios at every pair of calls that finds AWS in another
//! state. `CRASHES=scale` is about one scenario. How many runs each had is printed.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use simulation::{
    checker,
    end::End,
    journal::{Caller, Entry},
    scenario::Scenario,
    scenarios,
    wire::{Fuse, Side},
};

const SEED: u64 = 1;

/// Of the calls that only read, one in so many is tried, unless all are asked for.
const READS: usize = 40;
/// Of the pairs, so many of each scenario are.
const PAIRS: usize = 6;
/// The scenarios of which pairs are tried: those with the fewest calls.
const SHORT: [&str; 5] = [
    "create",
    "scale",
    "settings",
    "drift of the count",
    "drift of the retention",
];

/// A scenario, how it ends when nobody is killed, and what is tried of it.
struct Trial {
    scenario: Scenario,
    end: End,
    calls: usize,
    runs: Vec<Vec<Fuse>>,
    wrong: Mutex<Vec<String>>,
}

fn is_thorough() -> bool {
    std::env::var_os("SOAK").is_some()
}

fn is_asked_for(scenario: &Scenario) -> bool {
    std::env::var("CRASHES").map_or(true, |name| name == scenario.name)
}

/// The calls of the n-th daemon, and whether each changes something.
fn calls(journal: &[Entry], daemon: usize) -> Vec<bool> {
    let calls = journal.iter().filter_map(Entry::called);
    let own = calls.filter(|called| called.by == Caller::Daemon(daemon));
    own.map(|called| called.change.is_some()).collect()
}

/// Which calls a daemon is killed at.
#[derive(Clone, Copy, PartialEq)]
enum Kills {
    /// On both sides of every call.
    All,
    /// On both sides of every write, and at one read before, between and after them: no other read finds AWS in another
    /// state, and whoever is killed forgets the same.
    States,
    /// Before the first write, after each, and before one of so many reads.
    Some,
}

fn fuses(calls: &[bool], kills: Kills) -> Vec<Fuse> {
    let first = calls.iter().position(|is_write| *is_write);
    let sides = calls.iter().enumerate().flat_map(|(call, is_write)| {
        let is_first_read = !is_write && (call == 0 || calls[call - 1]);
        let before = match kills {
            Kills::All => true,
            Kills::States => *is_write || is_first_read,
            Kills::Some => Some(call) == first || !is_write && call % READS == 0,
        };
        let after = *is_write || kills == Kills::All;
        let at = |side| Fuse { call, side };
        [
            before.then(|| at(Side::Before)),
            after.then(|| at(Side::After)),
        ]
    });
    sides.flatten().collect()
}

/// For each place where the first daemon is killed, those where the second one is.
fn pairs(scenario: &Scenario, first: &[bool]) -> Vec<Vec<Fuse>> {
    let kills = if is_thorough() {
        Kills::States
    } else {
        Kills::Some
    };
    let of_one = |one: &Fuse| {
        let played = scenario.play(SEED, &[*one]);
        let second = fuses(&calls(&played.journal, 1), kills);
        second.into_iter().map(|other| vec![*one, other]).collect()
    };
    let first = fuses(first, kills);
    let all: Vec<Vec<Fuse>> = first.iter().flat_map::<Vec<_>, _>(of_one).collect();
    let step = if is_thorough() {
        1
    } else {
        all.len().div_ceil(PAIRS).max(1)
    };
    all.into_iter().step_by(step).collect()
}

impl Trial {
    fn of(scenario: Scenario, make: impl Fn(&Scenario, &[bool]) -> Vec<Vec<Fuse>>) -> Self {
        let undisturbed = scenario.play(SEED, &[]);
        let calls = calls(&undisturbed.journal, 0);
        Self {
            runs: make(&scenario, &calls),
            calls: calls.len(),
            end: undisturbed.end,
            scenario,
            wrong: Mutex::default(),
        }
    }

    fn play(&self, fuses: &[Fuse]) {
        let played = self.scenario.play(SEED, fuses);
        let mut problems: Vec<_> = checker::judge(&played.journal)
            .into_iter()
            .map(|violation| format!("{violation:?}"))
            .collect();
        if played.end != self.end {
            let (is, should) = (&played.end, &self.end);
            problems.push(format!("it ends as {is:#?} and not as {should:#?}"));
        }
        let name = self.scenario.name;
        let problems = problems
            .into_iter()
            .map(|problem| format!("{name}, {fuses:?}: {problem}"));
        self.wrong.lock().unwrap().extend(problems);
    }
}

/// Plays every run of every trial on all cores, and prints how many there were.
fn play_all(trials: &[Trial]) {
    let runs: Vec<_> = trials
        .iter()
        .flat_map(|trial| trial.runs.iter().map(move |run| (trial, run)))
        .collect();
    let next = AtomicUsize::new(0);
    on_every_core(|| {
        while let Some((trial, run)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            trial.play(run);
        }
    });
    for trial in trials {
        let (name, wrong) = (trial.scenario.name, trial.wrong.lock().unwrap().len());
        let (calls, runs) = (trial.calls, trial.runs.len());
        println!("{name}: {calls} calls, {runs} runs, {wrong} wrong");
    }
    println!("{} runs", runs.len());
    let wrong = trials
        .iter()
        .flat_map(|trial| trial.wrong.lock().unwrap().clone());
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn on_every_core(work: impl Fn() + Sync) {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(&work);
        }
    });
}

#[test]
fn a_daemon_killed_at_any_call_is_followed_by_one_that_comes_to_the_same_end() {
    let kills = if is_thorough() {
        Kills::All
    } else {
        Kills::Some
    };
    let alone = |_: &Scenario, calls: &[bool]| {
        let fuses = fuses(calls, kills).into_iter();
        fuses.map(|fuse| vec![fuse]).collect()
    };
    let trials: Vec<_> = scenarios::all()
        .into_iter()
        .filter(is_asked_for)
        .map(|scenario| Trial::of(scenario, alone))
        .collect();
    play_all(&trials);
}

#[test]
fn so_is_the_one_that_follows_when_it_is_killed_as_well() {
    let short = SHORT.iter().filter_map(|name| scenarios::named(name));
    let trials: Vec<_> = short
        .filter(is_asked_for)
        .map(|scenario| Trial::of(scenario, pairs))
        .collect();
    play_all(&trials);
}
