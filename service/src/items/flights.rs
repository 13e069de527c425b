//! One look-up per item at a time in this process, however many ask.
//!
//! Whoever asks while a look-up is in the air waits for the next one: the one in the air may have read before a write that the
//! caller knows of was done. The next one serves everybody who came in time, and mostly finds in Redis what the first has put there.
//! Flights fly in tasks of their own, so a caller that goes away takes nobody down.

use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{self, Receiver, Sender};

use super::model::{ById, ItemId};

/// Towers, each with its own lock. A power of two.
const TOWERS: usize = 1_024;

/// All flights of a process.
pub(crate) struct Flights<T> {
    towers: Box<[Tower<T>]>,
}

/// The flights of some ids.
struct Tower<T> {
    /// For an id with a flight in the air, those who wait for the next one.
    waiting: Mutex<ById<Vec<Sender<T>>>>,
    landed: AtomicU64,
}

/// How many flights had landed when this was taken, of this id or of one that shares its tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Landed(u64);

/// The right and the duty to fly. Dropped, also by a panic, it lets go of everybody who waits.
pub(super) struct Pilot<T> {
    flights: Arc<Flights<T>>,
    id: ItemId,
    passengers: Vec<Sender<T>>,
    /// Nobody waits for it any more, and the next one who asks has a pilot of his own.
    retired: bool,
}

impl<T> Flights<T> {
    pub(super) fn new() -> Arc<Self> {
        let tower = || Tower {
            waiting: Mutex::default(),
            landed: AtomicU64::new(0),
        };
        Arc::new(Self {
            towers: (0..TOWERS).map(|_| tower()).collect(),
        })
    }

    /// Takes a seat on the next flight of `id`. Where a pilot comes with it, the caller sees that it flies.
    pub(super) fn board(self: &Arc<Self>, id: ItemId) -> (Receiver<T>, Option<Pilot<T>>) {
        let (seat, answer) = oneshot::channel();
        match self.tower(id).waiting().entry(id.get()) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push(seat);
                (answer, None)
            }
            Entry::Vacant(free) => {
                free.insert(Vec::new());
                (answer, Some(self.pilot(id, vec![seat])))
            }
        }
    }

    /// A pilot without passengers, unless a flight is in the air.
    pub(super) fn alone(self: &Arc<Self>, id: ItemId) -> Option<Pilot<T>> {
        match self.tower(id).waiting().entry(id.get()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                free.insert(Vec::new());
                Some(self.pilot(id, Vec::new()))
            }
        }
    }

    /// Two that are equal: no flight of `id` has landed between them.
    pub(super) fn landed(&self, id: ItemId) -> Landed {
        Landed(self.tower(id).landed.load(Ordering::Acquire))
    }

    fn pilot(self: &Arc<Self>, id: ItemId, passengers: Vec<Sender<T>>) -> Pilot<T> {
        Pilot {
            flights: Arc::clone(self),
            id,
            passengers,
            retired: false,
        }
    }

    #[allow(clippy::indexing_slicing, reason = "masked")]
    fn tower(&self, id: ItemId) -> &Tower<T> {
        let id = usize::try_from(id.get()).unwrap_or_default();
        &self.towers[id & (TOWERS - 1)]
    }
}

impl<T> Tower<T> {
    fn waiting(&self) -> MutexGuard<'_, ById<Vec<Sender<T>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Pilot<T> {
    /// Flies until nobody waits any more. `look` is told whether this is the first flight.
    pub(super) async fn fly<F>(mut self, mut look: impl FnMut(bool) -> F)
    where
        F: Future<Output = T>,
    {
        let mut first = true;
        loop {
            let answer = look(first).await;
            first = false;
            self.tower().landed.fetch_add(1, Ordering::Release);
            for seat in self.passengers.drain(..) {
                // Who has gone away needs no answer.
                let _ = seat.send(answer.clone());
            }
            if !self.takes_those_who_wait() {
                return;
            }
        }
    }

    fn takes_those_who_wait(&mut self) -> bool {
        // Under one lock: nobody can take a seat on a flight that will not be.
        let mut waiting = self.flights.tower(self.id).waiting();
        let seats = waiting.get_mut(&self.id.get());
        self.passengers = seats.map(std::mem::take).unwrap_or_default();
        self.passengers.retain(|seat| !seat.is_closed());
        if self.passengers.is_empty() {
            waiting.remove(&self.id.get());
            self.retired = true;
        }
        !self.retired
    }
}

impl<T> Pilot<T> {
    fn tower(&self) -> &Tower<T> {
        self.flights.tower(self.id)
    }
}

impl<T> Drop for Pilot<T> {
    fn drop(&mut self) {
        // One that has retired may have a successor already.
        if !self.retired {
            self.tower().waiting().remove(&self.id.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> ItemId {
        ItemId::parse(&number.to_string()).unwrap()
    }

    #[tokio::test]
    async fn whoever_comes_during_a_flight_shares_the_next_one() {
        let flights = Flights::new();
        let (first, pilot) = flights.board(id(1));
        let pilot = pilot.unwrap();
        let mut later = Vec::new();
        let mut flown = 0;
        pilot
            .fly(|_| {
                flown += 1;
                if flown == 1 {
                    for _ in 0..100 {
                        let (answer, pilot) = flights.board(id(1));
                        assert!(pilot.is_none());
                        later.push(answer);
                    }
                }
                std::future::ready(flown)
            })
            .await;
        assert_eq!(first.await, Ok(1));
        for answer in later {
            assert_eq!(answer.await, Ok(2));
        }
        assert_eq!(flown, 2);
        assert!(flights.board(id(1)).1.is_some(), "the next one flies anew");
    }

    #[tokio::test]
    async fn nobody_flies_for_those_who_have_gone_away() {
        let flights = Flights::new();
        let (_, pilot) = flights.board(id(1));
        let mut flown = 0;
        pilot
            .unwrap()
            .fly(|first| {
                flown += 1;
                if first {
                    drop(flights.board(id(1)));
                }
                std::future::ready(())
            })
            .await;
        assert_eq!(flown, 1);
        assert!(flights.alone(id(1)).is_some());
    }

    #[tokio::test]
    async fn a_pilot_that_panics_lets_everybody_go() {
        let flights = Flights::<()>::new();
        let (first, pilot) = flights.board(id(1));
        let (second, none) = flights.board(id(1));
        assert!(none.is_none() && flights.alone(id(1)).is_none());
        let flight = tokio::spawn(pilot.unwrap().fly(async |_| panic!("on purpose")));
        assert!(flight.await.unwrap_err().is_panic());
        assert!(first.await.is_err() && second.await.is_err());
        assert!(flights.board(id(1)).1.is_some());
    }

    /// Threads board one id as fast as they can: everybody is answered, and never two flights are in the air.
    #[test]
    fn pilots_retire_without_taking_their_successors_down() {
        let flights = Flights::new();
        let in_the_air = AtomicU64::new(0);
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    runtime().block_on(async {
                        for _ in 0..20_000 {
                            let (answer, pilot) = flights.board(id(1));
                            if let Some(pilot) = pilot {
                                let fly = pilot.fly(|_| {
                                    assert_eq!(in_the_air.fetch_add(1, Ordering::SeqCst), 0);
                                    in_the_air.fetch_sub(1, Ordering::SeqCst);
                                    std::future::ready(())
                                });
                                fly.await;
                            }
                            assert_eq!(answer.await, Ok(()));
                        }
                    });
                });
            }
        });
    }

    #[tokio::test]
    async fn a_landing_is_seen() {
        let flights = Flights::new();
        let before = flights.landed(id(7));
        assert_eq!(flights.landed(id(7)), before);
        let pilot = flights.alone(id(7)).unwrap();
        assert_eq!(flights.landed(id(7)), before, "it is in the air");
        pilot.fly(|_| std::future::ready(())).await;
        assert_ne!(flights.landed(id(7)), before);
        assert_eq!(flights.landed(id(8)), flights.landed(id(9)));
    }
}
