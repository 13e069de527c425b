//! A daemon that is killed at any of its calls is followed by one that comes to the same end, by the rules.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use simulation::{
    checker,
    journal::{Caller, Entry},
    scenario::Scenario,
    scenarios,
    wire::{Fuse, Side},
};

const SEED: u64 = 1;

/// Of the calls that only read, one in so many is tried, unless all are asked for.
const READS: usize = 40;

/// Where a daemon is killed: on both sides of every call, or, as it has forgotten the same and AWS is in the same state,
/// before the first write, after each, and before some of the reads.
fn fuses(undisturbed: &[Entry]) -> Vec<Fuse> {
    let is_thorough = std::env::var_os("SOAK").is_some();
    let calls = undisturbed.iter().filter_map(Entry::called);
    let calls: Vec<_> = calls
        .filter(|called| called.by == Caller::Daemon(0))
        .collect();
    let first = calls.iter().position(|called| called.change.is_some());
    let sides = calls.iter().enumerate().flat_map(|(call, called)| {
        let is_write = called.change.is_some();
        let before = is_thorough || Some(call) == first || !is_write && call % READS == 0;
        let after = is_thorough || is_write;
        [
            before.then_some(Fuse {
                call,
                side: Side::Before,
            }),
            after.then_some(Fuse {
                call,
                side: Side::After,
            }),
        ]
    });
    sides.flatten().collect()
}

/// Plays a scenario with every fuse, and says what is wrong with it.
fn play_all(scenario: &Scenario, wrong: &Mutex<Vec<String>>) -> usize {
    let undisturbed = scenario.play(SEED, &[]);
    let fuses = fuses(&undisturbed.journal);
    for fuse in &fuses {
        let played = scenario.play(SEED, &[*fuse]);
        let mut problems: Vec<_> = checker::judge(&played.journal)
            .into_iter()
            .map(|violation| format!("{violation:?}"))
            .collect();
        if played.end != undisturbed.end {
            problems.push(format!(
                "it ends as {:#?} and not as {:#?}",
                played.end, undisturbed.end
            ));
        }
        let problems = problems
            .into_iter()
            .map(|problem| format!("{}, {fuse:?}: {problem}", scenario.name));
        wrong.lock().unwrap().extend(problems);
    }
    fuses.len()
}

#[test]
fn a_daemon_killed_at_any_call_is_followed_by_one_that_comes_to_the_same_end() {
    let (scenarios, wrong) = (scenarios::all(), Mutex::new(Vec::new()));
    let (next, runs) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    runs.fetch_add(play_all(scenario, &wrong), Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} runs", runs.into_inner());
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
