//! Histories at random, which shrink.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{Blow, Calls, Deed, Edit, Fault, History, Kind, Meddling, Release, Step, Tag, Wrong};
use crate::wire::Side;

/// The most services, and the most things that are done.
const SERVICES: usize = 4;
const STEPS: usize = 12;
/// The tags that images are pushed by; the first is there from the beginning.
const TAGS: std::ops::RangeInclusive<u8> = 1..=4;

/// Any history.
pub fn history() -> impl Strategy<Value = History> {
    let seed = any::<u64>().no_shrink();
    let kind = select(vec![Kind::Plain, Kind::Balanced, Kind::Watched]);
    // More often few services: what they do to each other is little.
    let services = prop_oneof![
        4 => vec(kind.clone(), 1..=1),
        2 => vec(kind.clone(), 2..=2),
        1 => vec(kind, 3..=SERVICES),
    ];
    (seed, services, vec(step(), 1..=STEPS)).prop_map(|(seed, services, steps)| History {
        seed,
        services,
        steps,
    })
}

fn step() -> impl Strategy<Value = Step> {
    // At once, in the middle of a pass, of a rollout, after it.
    let after = prop_oneof![Just(0), 1_u64..10, 10_u64..60, 60_u64..240];
    (after, deed()).prop_map(|(after, deed)| Step { after, deed })
}

fn deed() -> impl Strategy<Value = Deed> {
    let service = 0..SERVICES;
    prop_oneof![
        8 => (service.clone(), edit()).prop_map(|(service, edit)| Deed::Edit(service, edit)),
        4 => (service.clone(), TAGS, release()).prop_map(|(service, tag, release)| Deed::Push(service, tag, release)),
        6 => (service, meddling()).prop_map(|(service, meddling)| Deed::Meddle(service, meddling)),
        4 => (vec(fault(), 1..=3), 5_u16..300).prop_map(|(faults, seconds)| Deed::Faults(faults, seconds)),
        3 => blow().prop_map(Deed::Daemon),
        1 => Just(Deed::Empty),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        8 => TAGS.prop_map(Edit::Tag),
        2 => option::of(1_u32..=4).prop_map(Edit::Count),
        2 => (0_u8..3).prop_map(Edit::Environment),
        1 => (1_u8..3).prop_map(Edit::Group),
        1 => option::of(select(vec![0, 30, 60])).prop_map(Edit::Grace),
        1 => select(vec![7, 14, 30]).prop_map(Edit::Retention),
        1 => option::of(0_u8..2).prop_map(Edit::Label),
        1 => any::<bool>().prop_map(Edit::Track),
        1 => any::<bool>().prop_map(Edit::Balanced),
        1 => any::<bool>().prop_map(Edit::Breaker),
        1 => any::<bool>().prop_map(Edit::Suspend),
        1 => any::<bool>().prop_map(Edit::Adopt),
        1 => any::<bool>().prop_map(Edit::Enforce),
        1 => select(vec![Edit::Break, Edit::Remove, Edit::Move]),
    ]
}

fn release() -> impl Strategy<Value = Release> {
    prop_oneof![
        3 => Just(Release::Good),
        1 => Just(Release::Crashes),
        1 => Just(Release::Unhealthy),
        1 => Just(Release::NeverStarts),
    ]
}

fn meddling() -> impl Strategy<Value = Meddling> {
    let tag = select(vec![Tag::Applied, Tag::Image, Tag::Labels, Tag::Owner]);
    prop_oneof![
        2 => (1_u32..=4).prop_map(Meddling::Count),
        2 => option::of(tag).prop_map(Meddling::Untag),
        1 => (10_u16..240).prop_map(Meddling::Ill),
        10 => select(vec![
            Meddling::Network,
            Meddling::Settings,
            Meddling::Definition,
            Meddling::Redeploy,
            Meddling::StopTask,
            Meddling::KillTasks,
            Meddling::Deregister,
            Meddling::Retention,
            Meddling::DropDefinition,
            Meddling::Retry,
            Meddling::Delete,
        ]),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    let calls = select(vec![
        Calls::All,
        Calls::Describes,
        Calls::Lists,
        Calls::Updates,
        Calls::Creates,
        Calls::Registers,
        Calls::Tags,
    ]);
    let percent = prop_oneof![Just(100_u8), 5_u8..100];
    (wrong(), calls, percent).prop_map(|(what, of, percent)| Fault { what, of, percent })
}

fn wrong() -> impl Strategy<Value = Wrong> {
    prop_oneof![
        1 => (1_u8..=10).prop_map(Wrong::Delay),
        2 => select(vec![1_u16, 10, 60, 300]).prop_map(Wrong::Stale),
        8 => select(vec![
            Wrong::Throttle,
            Wrong::ServerError,
            Wrong::Hang,
            Wrong::RequestLost,
            Wrong::ReplyLost,
            Wrong::Partial,
            Wrong::PageLost,
            Wrong::Denied,
            Wrong::Expired,
        ]),
    ]
}

fn blow() -> impl Strategy<Value = Blow> {
    let side = select(vec![Side::Before, Side::After]);
    prop_oneof![
        1 => Just(Blow::Kill),
        1 => Just(Blow::Terminate),
        2 => (0_usize..60, side).prop_map(|(call, side)| Blow::KillAt(call, side)),
    ]
}
