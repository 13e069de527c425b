//! Random histories break no rule, and end as they themselves ask for.
//!
//! `HISTORIES=10000` plays so many, from the seed `SOAK_SEED` on; `HISTORY_SEED=7` plays one. What fails is
//! shrunk and printed with its seed; with `HISTORY_SEED`, also what was done in it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use simulation::{
    history::{
        Blow, Calls, Deed, Edit, Fault, History, Kind, Meddling, Release, Step, Tag, Wrong,
        generate,
    },
    journal::{Entry, What},
    wire::Side,
};

/// How many are played in a plain run of all tests, and the seed of the first.
const HISTORIES: u64 = 300;
const FIRST: u64 = 20_261_128;
/// How many histories are played at most to make one that fails smaller.
const SHRINKS: usize = 400;
/// How often it is told how far it is.
const TELL: Duration = Duration::from_secs(5);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn play(history: &History) -> Vec<String> {
    catch_unwind(AssertUnwindSafe(|| history.play())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        vec![format!("it panicked: {}", text.unwrap_or_default())]
    })
}

/// A history that once failed.
#[track_caller]
fn passes(seed: u64, services: &[Kind], steps: &[(u64, Deed)]) {
    let steps = steps.iter().cloned();
    let history = History {
        seed,
        services: services.to_vec(),
        steps: steps.map(|(after, deed)| Step { after, deed }).collect(),
    };
    assert_eq!(history.play(), [""; 0], "{history:#?}");
}

#[test]
fn what_has_failed_is_not_redeployed_while_something_else_is_wanted_that_has_no_image() {
    passes(
        2_047_226_767_708_302_872,
        &[Kind::Watched, Kind::Plain, Kind::Plain],
        &[
            (0, Deed::Meddle(0, Meddling::Ill(120))),
            (1, Deed::Edit(0, Edit::Tag(2))),
            (27, Deed::Edit(0, Edit::Suspend(false))),
            (92, Deed::Meddle(0, Meddling::Ill(60))),
        ],
    );
}

#[test]
fn a_target_group_that_an_edit_takes_away_in_mid_rollout_is_another_aim() {
    let steps = [(1, Deed::Edit(0, Edit::Balanced(false)))];
    passes(10_663_382_787_053_378_117, &[Kind::Balanced], &steps);
}

#[test]
fn a_service_that_is_deleted_while_describes_have_holes_is_created_once_it_is_gone() {
    let holes = Fault {
        what: Wrong::Partial,
        of: Calls::All,
        percent: 100,
    };
    passes(
        1_558_935_070_552_782_881,
        &[Kind::Plain],
        &[
            (3, Deed::Edit(0, Edit::Count(None))),
            (0, Deed::Faults(vec![holes], 62)),
            (0, Deed::Meddle(0, Meddling::Delete)),
        ],
    );
}

#[test]
fn a_list_without_its_items_leaves_one_copy_of_a_definition_at_most() {
    let lost = Fault {
        what: Wrong::PageLost,
        of: Calls::All,
        percent: 36,
    };
    passes(
        3_332_938_155_119_881_389,
        &[Kind::Plain],
        &[
            (128, Deed::Push(0, 1, Release::Good)),
            (134, Deed::Meddle(0, Meddling::Delete)),
            (0, Deed::Faults(vec![lost], 42)),
        ],
    );
}

#[test]
fn a_call_that_is_late_comes_after_the_one_that_replaced_it() {
    let late = Fault {
        what: Wrong::Delay(6),
        of: Calls::Updates,
        percent: 100,
    };
    passes(
        1,
        &[Kind::Plain],
        &[
            (1, Deed::Faults(vec![late], 5)),
            (0, Deed::Edit(0, Edit::Environment(0))),
        ],
    );
}

#[test]
fn a_service_that_another_hand_deletes_is_created_again_once_it_has_drained() {
    passes(
        11_888_465_354_657_998_000,
        &[Kind::Balanced, Kind::Plain, Kind::Plain, Kind::Plain],
        &[
            (0, Deed::Push(0, 1, Release::Good)),
            (82, Deed::Edit(1, Edit::Tag(1))),
            (8, Deed::Edit(1, Edit::Tag(1))),
            (201, Deed::Edit(0, Edit::Count(None))),
            (125, Deed::Edit(0, Edit::Count(None))),
            (11, Deed::Edit(1, Edit::Tag(1))),
            (185, Deed::Meddle(0, Meddling::Delete)),
        ],
    );
}

#[test]
fn a_service_that_is_deleted_before_a_look_has_shown_it_is_known_to_be_gone() {
    let steps = [(1, Deed::Meddle(0, Meddling::Delete))];
    passes(5_090_753_642_440_579_111, &[Kind::Plain], &steps);
}

#[test]
fn what_is_adopted_is_given_an_owner_once() {
    passes(
        17_769_328_326_301_922_912,
        &[Kind::Plain],
        &[
            (0, Deed::Edit(0, Edit::Adopt(true))),
            (0, Deed::Push(0, 1, Release::Good)),
            (1, Deed::Meddle(0, Meddling::Untag(Some(Tag::Owner)))),
        ],
    );
}

#[test]
fn a_file_that_is_moved_while_images_cannot_be_read_is_acted_on_as_before() {
    let throttled = Fault {
        what: Wrong::Throttle,
        of: Calls::All,
        percent: 100,
    };
    passes(
        11_688_959_340_279_977_356,
        &[Kind::Plain],
        &[
            (1, Deed::Faults(vec![throttled], 53)),
            (0, Deed::Meddle(0, Meddling::Network)),
            (0, Deed::Edit(0, Edit::Move)),
        ],
    );
}

#[test]
fn a_mark_that_is_denied_at_the_end_is_written_as_soon_as_it_may_be() {
    let fault = |what, of, percent| Fault { what, of, percent };
    let faults = vec![
        fault(Wrong::Denied, Calls::Tags, 100),
        fault(Wrong::Stale(10), Calls::Creates, 100),
        fault(Wrong::Partial, Calls::Lists, 67),
    ];
    passes(
        16_049_888_440_847_068_167,
        &[Kind::Plain],
        &[
            (10, Deed::Meddle(2, Meddling::Network)),
            (35, Deed::Edit(1, Edit::Balanced(true))),
            (207, Deed::Faults(faults, 282)),
            (32, Deed::Push(1, 3, Release::Good)),
            (2, Deed::Push(0, 4, Release::Unhealthy)),
            (7, Deed::Empty),
            (57, Deed::Daemon(Blow::Terminate)),
            (44, Deed::Meddle(3, Meddling::KillTasks)),
            (52, Deed::Empty),
            (15, Deed::Meddle(3, Meddling::DropDefinition)),
            (0, Deed::Daemon(Blow::Terminate)),
            (0, Deed::Edit(0, Edit::Count(None))),
        ],
    );
}

#[test]
fn what_has_failed_is_held_also_while_the_wanted_image_is_missing() {
    passes(
        18_034_665_490_056_670_535,
        &[Kind::Balanced, Kind::Plain],
        &[
            (60, Deed::Meddle(0, Meddling::Network)),
            (2, Deed::Edit(0, Edit::Tag(1))),
            (0, Deed::Empty),
            (50, Deed::Meddle(0, Meddling::Ill(187))),
            (10, Deed::Edit(2, Edit::Tag(2))),
        ],
    );
}

#[test]
fn each_lost_reply_to_a_registration_may_leave_a_copy_while_lists_are_stale() {
    let fault = |what, of| Fault {
        what,
        of,
        percent: 100,
    };
    let faults = vec![
        fault(Wrong::Stale(10), Calls::Lists),
        fault(Wrong::ReplyLost, Calls::Registers),
    ];
    passes(
        11_645_186_027_396_299_664,
        &[Kind::Plain],
        &[(0, Deed::Faults(faults, 5))],
    );
}

#[test]
fn a_list_without_the_deployments_that_there_have_been_is_no_list() {
    let lost = Fault {
        what: Wrong::PageLost,
        of: Calls::Lists,
        percent: 100,
    };
    passes(
        1_078_763_884_103_387_952,
        &[Kind::Plain],
        &[
            (1, Deed::Edit(0, Edit::Tag(4))),
            (60, Deed::Edit(0, Edit::Environment(0))),
            (1, Deed::Push(0, 4, Release::NeverStarts)),
            (125, Deed::Faults(vec![lost], 24)),
        ],
    );
}

#[test]
fn what_falls_out_and_is_not_listed_either_looks_as_if_it_were_missing() {
    let fault = |what| Fault {
        what,
        of: Calls::All,
        percent: 100,
    };
    let faults = vec![fault(Wrong::PageLost), fault(Wrong::Partial)];
    passes(
        10_478_198_034_789_380_844,
        &[Kind::Plain],
        &[(3, Deed::Faults(faults, 5))],
    );
}

#[test]
fn what_a_look_under_way_could_not_read_an_edit_need_not_ask_for() {
    let fault = Fault {
        what: Wrong::Hang,
        of: Calls::Describes,
        percent: 50,
    };
    passes(
        13_298_778_194_304_143_331,
        &[Kind::Plain, Kind::Balanced],
        &[
            (0, Deed::Faults(vec![fault], 65)),
            (41, Deed::Edit(1, Edit::Count(None))),
        ],
    );
}

#[test]
fn who_starts_while_all_reads_are_old_does_not_know_what_runs() {
    let stale = Fault {
        what: Wrong::Stale(60),
        of: Calls::All,
        percent: 100,
    };
    passes(
        17_823_546_278_320_922_281,
        &[Kind::Plain],
        &[
            (0, Deed::Push(0, 3, Release::Good)),
            (1, Deed::Faults(vec![stale], 61)),
            (0, Deed::Daemon(Blow::KillAt(13, Side::Before))),
            (0, Deed::Edit(0, Edit::Tag(3))),
        ],
    );
}

#[test]
fn who_starts_while_lists_come_without_their_items_does_not_try_again_what_failed() {
    let lost = Fault {
        what: Wrong::PageLost,
        of: Calls::Lists,
        percent: 100,
    };
    passes(
        8_975_792_173_050_136_408,
        &[Kind::Plain],
        &[
            (3, Deed::Edit(0, Edit::Adopt(false))),
            (26, Deed::Daemon(Blow::Kill)),
            (29, Deed::Push(0, 1, Release::Crashes)),
            (4, Deed::Edit(0, Edit::Track(true))),
            (1, Deed::Daemon(Blow::Kill)),
            (0, Deed::Faults(vec![lost], 79)),
        ],
    );
}

/// Plays the history of a seed. One that fails is made as small as it can be.
fn try_seed(seed: u64) -> Option<String> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let mut tree = generate::history().new_tree(&mut runner).unwrap();
    let mut wrong = play(&tree.current());
    if wrong.is_empty() {
        if number("HISTORY_SEED").is_some() {
            print(&tree.current());
        }
        return None;
    }
    let mut smallest = tree.current();
    for _ in 0..SHRINKS {
        let is_other = if wrong.is_empty() {
            tree.complicate()
        } else {
            tree.simplify()
        };
        if !is_other {
            break;
        }
        wrong = play(&tree.current());
        if !wrong.is_empty() {
            smallest = tree.current();
        }
    }
    if number("HISTORY_SEED").is_some() {
        print(&smallest);
    }
    let wrong = play(&smallest).join("\n  ");
    Some(format!("HISTORY_SEED={seed}: {smallest:#?}\n  {wrong}"))
}

#[test]
fn random_histories_break_no_rule_and_end_as_they_ask_for() {
    let first = number("SOAK_SEED").unwrap_or(FIRST);
    let seeds = match number("HISTORY_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + number("HISTORIES").unwrap_or(HISTORIES),
    };
    let (next, played) = (AtomicU64::new(seeds.start), AtomicUsize::new(0));
    let (wrong, began) = (Mutex::new(Vec::new()), Instant::now());
    let told = Mutex::new(Instant::now());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    if let Some(failure) = try_seed(seed) {
                        println!("{failure}");
                        wrong.lock().unwrap().push(failure);
                    }
                    let played = played.fetch_add(1, Ordering::Relaxed) + 1;
                    let mut told = told.lock().unwrap();
                    if told.elapsed() >= TELL {
                        *told = Instant::now();
                        tell(played, began, wrong.lock().unwrap().len());
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    tell(played.into_inner(), began, wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What happened in a history, but for what only read and was answered.
fn print(history: &History) {
    println!("{history:#?}");
    let told = |entry: &Entry| match &entry.what {
        What::Called(called) if called.change.is_none() && called.faults.is_empty() => {}
        What::Sent(sent) if sent.change.is_none() => {}
        What::Sent(sent) => println!("{} {:?} sends {}", entry.at, sent.by, sent.operation),
        What::Called(called) => {
            let outcome = called.outcome.as_ref().map(|_| "done");
            println!(
                "{} {:?} {} {} {:?} {:?}",
                entry.at, called.by, called.operation, called.input, called.faults, outcome
            );
        }
        What::Seen(name, _) => println!("{} {name} is seen", entry.at),
        other @ (What::Manifests(_)
        | What::Meddled(_)
        | What::Started(_)
        | What::Ended(_)
        | What::Rest(_)) => println!("{} {other:?}", entry.at),
    };
    let _ = catch_unwind(AssertUnwindSafe(|| history.play_and_tell(told)));
}

fn tell(played: usize, began: Instant, failed: usize) {
    let (took, played_32) = (
        began.elapsed().as_secs_f64(),
        u32::try_from(played).unwrap_or(u32::MAX),
    );
    println!(
        "{played} histories, {failed} failed, {:.1} per second",
        f64::from(played_32) / took
    );
}
