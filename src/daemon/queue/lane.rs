//! Services that wait, by how urgent they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    aws::{SERVICES_PER_CALL, Urgency, WAIT_IN_TURN},
    daemon::{
        board::Key,
        queue::{FOLLOW, denials::Denials},
    },
};

/// How many are worked on at once: those that may wait for what is asked in turn, and three calls' worth of others.
const PLACES: usize = 3 * (WAIT_IN_TURN + SERVICES_PER_CALL);

/// What is urgent has places of its own, so that it never waits for what is not.
#[derive(Debug)]
pub(super) struct Lanes {
    edits: Lane,
    pub(super) follows: Lane,
    resyncs: Lane,
}

impl Lanes {
    pub(super) fn new(resync: Duration) -> Self {
        Self {
            // An edit is looked at by itself.
            edits: Lane::new(16, 1, Duration::ZERO),
            follows: Lane::new(PLACES, SERVICES_PER_CALL, FOLLOW / 2),
            // A call for services of which some are not due yet costs no more than one for those that are.
            resyncs: Lane::new(PLACES, SERVICES_PER_CALL, resync / 4),
        }
    }

    pub(super) fn of(&mut self, urgency: Urgency) -> &mut Lane {
        match urgency {
            Urgency::Edit => &mut self.edits,
            Urgency::Follow => &mut self.follows,
            Urgency::Resync => &mut self.resyncs,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Lane> {
        [&self.edits, &self.follows, &self.resyncs].into_iter()
    }
}

/// Those that are equally urgent, and how many of them are worked on.
#[derive(Debug)]
pub(super) struct Lane {
    /// How many may be worked on at once.
    places: usize,
    /// How many of a cluster are handed out together, at most.
    batch: usize,
    /// How much before its time a service goes along with others.
    early: Duration,
    /// By cluster: when each is due.
    clusters: BTreeMap<String, BTreeSet<(Instant, String)>>,
    /// By cluster: how many are worked on.
    busy: BTreeMap<String, usize>,
}

impl Lane {
    fn new(places: usize, batch: usize, early: Duration) -> Self {
        Self {
            places,
            batch,
            early,
            clusters: BTreeMap::new(),
            busy: BTreeMap::new(),
        }
    }

    pub(super) fn insert(&mut self, (cluster, name): &Key, due: Instant) {
        let waiting = self.clusters.entry(cluster.clone()).or_default();
        waiting.insert((due, name.clone()));
    }

    pub(super) fn remove(&mut self, (cluster, name): &Key, due: Instant) {
        if let Some(waiting) = self.clusters.get_mut(cluster) {
            waiting.remove(&(due, name.clone()));
            if waiting.is_empty() {
                self.clusters.remove(cluster);
            }
        }
    }

    /// The next batch, if one is due and there is room for it.
    pub(super) fn take(&mut self, denials: &Denials, now: Instant) -> Option<Vec<Key>> {
        let (due, cluster) = self.next(denials)?;
        if due > now || !self.has_room() {
            return None;
        }
        let cluster = cluster.to_owned();
        let waiting = self.clusters.get(&cluster)?;
        let along = waiting
            .iter()
            .take_while(|(due, _)| *due <= now + self.early);
        let taken: Vec<_> = along.take(self.batch).cloned().collect();
        let keys = taken.into_iter().map(|(due, name)| {
            let key = (cluster.clone(), name);
            self.remove(&key, due);
            key
        });
        let keys: Vec<_> = keys.collect();
        *self.busy.entry(cluster).or_default() += keys.len();
        Some(keys)
    }

    /// The work on one ended.
    pub(super) fn ended(&mut self, (cluster, _): &Key) {
        if let Some(busy) = self.busy.get_mut(cluster) {
            *busy = busy.saturating_sub(1);
        }
        self.busy.retain(|_, busy| *busy > 0);
    }

    /// When the next is due; `None` while there is no room for it.
    pub(super) fn wake(&self, denials: &Denials) -> Option<Instant> {
        let next = self.next(denials).filter(|_| self.has_room());
        next.map(|(due, _)| due)
    }

    /// How many calls it takes to describe all, those that are worked on included.
    pub(super) fn calls(&self) -> u32 {
        let clusters: BTreeSet<_> = self.clusters.keys().chain(self.busy.keys()).collect();
        let calls = clusters.into_iter().map(|cluster| {
            let waiting = self.clusters.get(cluster).map_or(0, BTreeSet::len);
            let busy = self.busy.get(cluster).copied().unwrap_or_default();
            (waiting + busy).div_ceil(self.batch)
        });
        u32::try_from(calls.sum::<usize>()).unwrap_or(u32::MAX)
    }

    /// How many are due.
    pub(super) fn depth(&self, now: Instant) -> usize {
        let due = |waiting: &BTreeSet<(Instant, String)>| {
            waiting.iter().take_while(|(due, _)| *due <= now).count()
        };
        self.clusters.values().map(due).sum()
    }

    fn next(&self, denials: &Denials) -> Option<(Instant, &str)> {
        let firsts = self.clusters.iter().filter_map(|(cluster, waiting)| {
            let (due, _) = waiting.first()?;
            Some((denials.allow(cluster, *due)?, cluster.as_str()))
        });
        firsts.min()
    }

    /// For a whole batch: places that come free one by one would make each batch one of one.
    fn has_room(&self) -> bool {
        self.busy.values().sum::<usize>() + self.batch <= self.places
    }
}
