use super::*;
use Phase::{Healthy, Running, Starting, Stopping, Unhealthy};

fn situation(desired: u32, percents: (u32, u32), phases: &[&[Phase]]) -> Situation {
    let sides = phases.iter().enumerate().map(|(at, phases)| Side {
        desired: if at == 0 {
            desired
        } else {
            u32::try_from(phases.len()).unwrap()
        },
        proven: at > 0,
        failed: false,
    });
    let tasks = phases.iter().enumerate().flat_map(|(side, phases)| {
        phases.iter().enumerate().map(move |(n, phase)| Member {
            task: format!("{side}.{n}"),
            side,
            phase: *phase,
        })
    });
    Situation {
        desired,
        minimum_percent: percents.0,
        maximum_percent: percents.1,
        sides: sides.collect(),
        tasks: tasks.collect(),
        may_launch: true,
    }
}

fn starts(decision: &Decision) -> Vec<(usize, u32)> {
    decision
        .starts
        .iter()
        .map(|start| (start.side, start.count))
        .collect()
}

#[test]
fn a_rollout_starts_within_the_maximum_and_stops_above_the_minimum() {
    let decision = decide(&situation(2, (100, 200), &[&[], &[Healthy, Healthy]]));
    assert_eq!(starts(&decision), [(0, 2)]);
    assert!(decision.surplus.is_empty());

    let decision = decide(&situation(
        2,
        (100, 200),
        &[&[Healthy, Running], &[Healthy, Healthy]],
    ));
    assert!(decision.starts.is_empty());
    assert_eq!(decision.surplus, ["1.0"]);
    assert_eq!(decision.desired, [2, 1]);

    let decision = decide(&situation(
        2,
        (100, 200),
        &[&[Healthy, Healthy], &[Healthy, Stopping]],
    ));
    assert_eq!(decision.surplus, ["1.0"]);
}

#[test]
fn rounding_is_up_for_the_minimum_and_down_for_the_maximum() {
    // 150 % of 3 is 4.5: one task beside three.
    let decision = decide(&situation(3, (100, 150), &[&[], &[Healthy; 3]]));
    assert_eq!(starts(&decision), [(0, 1)]);
    // 50 % of 3 is 1.5: two must stay, one may go.
    let decision = decide(&situation(3, (50, 100), &[&[], &[Healthy; 3]]));
    assert!(decision.starts.is_empty());
    assert_eq!(decision.surplus, ["1.0"]);
}

#[test]
fn percentages_that_leave_no_way_are_said_to_block() {
    let decision = decide(&situation(2, (100, 100), &[&[], &[Healthy, Healthy]]));
    assert!(decision.blocked);
    assert!(decision.starts.is_empty() && decision.surplus.is_empty());
    assert_eq!(decision.desired, [2, 2]);
}

#[test]
fn stopping_tasks_count_against_the_maximum() {
    let decision = decide(&situation(1, (0, 100), &[&[], &[Stopping]]));
    assert!(decision.starts.is_empty());
    assert!(!decision.blocked);
}

#[test]
fn an_unhealthy_task_is_replaced_start_first_when_there_is_room() {
    let decision = decide(&situation(2, (100, 200), &[&[Healthy, Unhealthy]]));
    assert_eq!(
        decision.starts,
        [Start {
            side: 0,
            count: 1,
            replacing: 1
        }]
    );
    assert!(decision.unhealthy.is_empty());
    let decision = decide(&situation(2, (100, 200), &[&[Healthy, Unhealthy, Healthy]]));
    assert_eq!(decision.unhealthy, ["0.1"]);
    let decision = decide(&situation(
        2,
        (100, 200),
        &[&[Healthy, Unhealthy, Starting]],
    ));
    assert!(decision.unhealthy.is_empty() && decision.starts.is_empty());
}

#[test]
fn without_room_unhealthy_tasks_go_one_at_a_time() {
    let full = [&[Unhealthy, Unhealthy][..], &[Healthy, Healthy]];
    let decision = decide(&situation(2, (100, 200), &full));
    assert_eq!(decision.unhealthy, ["0.0"]);
    assert!(decision.surplus.is_empty(), "{decision:?}");
    let going = [&[Stopping, Unhealthy][..], &[Healthy, Healthy]];
    assert!(
        decide(&situation(2, (100, 200), &going))
            .unhealthy
            .is_empty()
    );
}

#[test]
fn a_lost_old_task_is_replaced_by_its_own_revision() {
    let mut lost = situation(2, (100, 200), &[&[Starting, Starting], &[Healthy]]);
    lost.sides[1].desired = 2;
    assert_eq!(starts(&decide(&lost)), [(1, 1)]);
    lost.sides[1].proven = false;
    assert!(decide(&lost).starts.is_empty());
}

#[test]
fn an_unproven_old_deployment_loses_what_does_not_serve_at_once() {
    let mut two = situation(
        2,
        (100, 200),
        &[&[], &[Starting, Running], &[Healthy, Healthy]],
    );
    two.sides[1].proven = false;
    let decision = decide(&two);
    assert_eq!(decision.surplus, ["1.0", "1.1"]);
    assert_eq!(decision.desired, [2, 0, 2]);
}

#[test]
fn scaling_in_takes_the_newest_and_the_unstarted_first() {
    let decision = decide(&situation(1, (100, 200), &[&[Healthy, Starting, Healthy]]));
    assert_eq!(decision.surplus, ["0.1", "0.2"]);
}

#[test]
fn held_back_launches_start_nothing_and_stop_nothing() {
    let mut held = situation(2, (50, 100), &[&[], &[Healthy, Healthy]]);
    held.may_launch = false;
    let decision = decide(&held);
    assert!(decision.starts.is_empty() && decision.surplus.is_empty() && !decision.blocked);
}
