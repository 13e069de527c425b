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

/// Where a daemon can be killed: before every call, and after it. Killed after a read it has changed nothing, and is as
/// one killed before its next call; so of reads one side is enough.
fn fuses(undisturbed: &[Entry]) -> Vec<Fuse> {
    let calls = undisturbed.iter().filter_map(Entry::called);
    let calls = calls
        .filter(|called| called.by == Caller::Daemon(0))
        .enumerate();
    let sides = calls.flat_map(|(call, called)| {
        let before = Fuse {
            call,
            side: Side::Before,
        };
        let after = Fuse {
            call,
            side: Side::After,
        };
        [Some(before), called.change.is_some().then_some(after)]
    });
    sides.flatten().collect()
}

/// One in so many of the calls that only read is tried, unless all are asked for: those in between differ in nothing that
/// outlives the daemon.
fn chosen(undisturbed: &[Entry]) -> Vec<Fuse> {
    let one_in = if std::env::var_os("SOAK").is_some() {
        1
    } else {
        12
    };
    let calls = undisturbed.iter().filter_map(Entry::called);
    let calls: Vec<_> = calls
        .filter(|called| called.by == Caller::Daemon(0))
        .collect();
    let is_near_a_write = |call: usize| {
        let near = &calls[call.saturating_sub(1)..(call + 2).min(calls.len())];
        near.iter().any(|called| called.change.is_some())
    };
    let mut fuses = fuses(undisturbed);
    fuses.retain(|fuse| is_near_a_write(fuse.call) || fuse.call % one_in == 0);
    fuses
}

/// Plays a scenario with every fuse, and says what is wrong with it.
fn play_all(scenario: &Scenario, wrong: &Mutex<Vec<String>>) -> usize {
    let undisturbed = scenario.play(SEED, &[]);
    let fuses = chosen(&undisturbed.journal);
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
