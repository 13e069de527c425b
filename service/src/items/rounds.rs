//! Asking together: what is asked of a store in one turn of a worker's loop goes there in one message.
//!
//! A message costs a store and its client more than a key in it. Whoever asks first begins a round, which leaves when all who are ready to
//! ask have asked; nobody waits for somebody to come. Rounds follow each other without waiting for replies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{self, Receiver, Sender};

/// Questions of one round at most, so that a store is not kept from others for long.
pub(super) const MOST: usize = 256;

/// The rounds of one worker to one store: questions `Q`, each with its answer `A`.
pub(super) struct Rounds<Q, A> {
    /// Those who wait: a round was begun for every [`MOST`] of them. A connection waits for one answer at a time, so there are no more of
    /// them than connections.
    waiting: Mutex<Vec<(Q, Sender<A>)>>,
}

/// The duty to carry what is waiting. Who gets it sees that it is done, in a task of its own.
pub(super) struct Round<Q, A>(Arc<Rounds<Q, A>>);

impl<Q, A> Rounds<Q, A> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
        })
    }

    /// The answer to come; it fails if the round breaks off.
    pub(super) fn join(self: &Arc<Self>, question: Q) -> (Receiver<A>, Option<Round<Q, A>>) {
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.waiting();
        let is_first = waiting.len().is_multiple_of(MOST);
        waiting.push((question, sender));
        (answer, is_first.then(|| Round(Arc::clone(self))))
    }

    fn take(&self) -> (Vec<Q>, Vec<Sender<A>>) {
        let mut waiting = self.waiting();
        let now = waiting.len().min(MOST);
        waiting.drain(..now).unzip()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(Q, Sender<A>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q, A> Round<Q, A> {
    /// Asks what is waiting by now; `ask` gives as many answers, in the same order.
    pub(super) async fn carry<F>(self, ask: impl FnOnce(Vec<Q>) -> F)
    where
        F: Future<Output = Vec<A>>,
    {
        let (questions, senders) = self.0.take();
        let answers = ask(questions).await;
        for (sender, answer) in senders.into_iter().zip(answers) {
            // Who has gone away needs no answer.
            let _ = sender.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks `count` questions before any round leaves; gives the sizes of the rounds.
    async fn ask(count: usize) -> Vec<usize> {
        let rounds = Rounds::new();
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let mut answers = Vec::new();
        for question in 0..count {
            let (answer, round) = rounds.join(question);
            answers.push(answer);
            if let Some(round) = round {
                let sizes = Arc::clone(&sizes);
                tokio::spawn(round.carry(async move |questions: Vec<usize>| {
                    sizes.lock().unwrap().push(questions.len());
                    questions.into_iter().map(|question| question * 2).collect()
                }));
            }
        }
        for (question, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.await, Ok(question * 2));
        }
        Arc::try_unwrap(sizes).unwrap().into_inner().unwrap()
    }

    #[tokio::test]
    async fn those_who_are_ready_share_a_round_and_each_has_his_answer() {
        assert_eq!(ask(1).await, [1]);
        assert_eq!(ask(MOST).await, [MOST]);
        assert_eq!(ask(2 * MOST + 1).await, [MOST, MOST, 1]);
    }

    #[tokio::test]
    async fn a_round_that_breaks_off_leaves_nobody_waiting_and_the_next_one_leaves() {
        let rounds = Rounds::<_, ()>::new();
        let (answer, round) = rounds.join(1);
        let broken = tokio::spawn(round.unwrap().carry(async |_| panic!("on purpose")));
        assert!(broken.await.unwrap_err().is_panic());
        assert!(answer.await.is_err());
        assert!(rounds.join(2).1.is_some());
    }

    /// Those who come while rounds wait to leave find room in them, or begin one.
    #[tokio::test]
    async fn nobody_is_left_behind() {
        let rounds = Rounds::new();
        let mut begun = Vec::new();
        let mut answers = Vec::new();
        let mut join = |begun: &mut Vec<_>| {
            let (answer, round) = rounds.join(());
            answers.push(answer);
            begun.extend(round);
        };
        (0..MOST + 1).for_each(|_| join(&mut begun));
        let second = begun.pop().unwrap();
        begun.pop().unwrap().carry(async |all: Vec<()>| all).await;
        (0..MOST).for_each(|_| join(&mut begun));
        second.carry(async |all: Vec<()>| all).await;
        for round in begun {
            round.carry(async |all: Vec<()>| all).await;
        }
        for answer in answers {
            assert!(answer.await.is_ok());
        }
    }
}
