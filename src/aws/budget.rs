//! Client-side rate limits, one token bucket per documented API bucket, so that Evenkeel never takes more than its
//! share of an account's quota.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Buckets that AWS documents: ECS in "Request throttling for the Amazon ECS API", ELB in "API throttling" of its user
/// guide, Logs in "CloudWatch Logs quotas". ECR does not publish DescribeImages' rate.
/// S3 has its own in "Best practices design patterns": per second and prefix 3,500 writes and 5,500 reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// RegisterTaskDefinition, DeregisterTaskDefinition.
    TaskDefinitionModify,
    /// DescribeTaskDefinition, ListTaskDefinitions.
    TaskDefinitionRead,
    /// CreateService, UpdateService, DeleteService.
    ServiceModify,
    /// DescribeServices, ListServices.
    ServiceRead,
    /// DescribeClusters.
    ClusterRead,
    /// ListServiceDeployments, DescribeServiceDeployments.
    ServiceDeployment,
    /// DescribeServiceRevisions.
    ServiceRevision,
    /// ListTasks, DescribeTasks.
    ClusterResourceRead,
    /// TagResource, UntagResource.
    TagModify,
    /// Every read of Elastic Load Balancing.
    LoadBalancing,
    /// DescribeLogGroups, CreateLogGroup, GetLogEvents; the smallest of the three.
    Logs,
    /// PutRetentionPolicy, DeleteRetentionPolicy.
    LogRetention,
    /// FilterLogEvents; 5 per second in some regions.
    LogSearch,
    /// DescribeImages.
    Images,
    /// Every call of S3.
    Objects,
}

impl Bucket {
    /// The metrics' label.
    pub fn name(self) -> &'static str {
        match self {
            Self::TaskDefinitionModify => "task_definition_modify",
            Self::TaskDefinitionRead => "task_definition_read",
            Self::ServiceModify => "service_modify",
            Self::ServiceRead => "service_read",
            Self::ServiceDeployment => "service_deployment",
            Self::ServiceRevision => "service_revision",
            Self::ClusterRead => "cluster_read",
            Self::ClusterResourceRead => "cluster_resource_read",
            Self::TagModify => "tag_modify",
            Self::LoadBalancing => "load_balancing",
            Self::Logs => "logs",
            Self::LogRetention => "log_retention",
            Self::LogSearch => "log_search",
            Self::Images => "images",
            Self::Objects => "objects",
        }
    }

    /// The whole account's burst, and its refill per second.
    fn documented(self) -> (f64, f64) {
        match self {
            Self::TaskDefinitionModify => (20.0, 1.0),
            Self::TaskDefinitionRead
            | Self::ClusterRead
            | Self::ServiceDeployment
            | Self::ServiceRevision => (50.0, 20.0),
            Self::ServiceModify => (50.0, 5.0),
            Self::ServiceRead | Self::ClusterResourceRead => (100.0, 20.0),
            Self::TagModify => (20.0, 10.0),
            Self::LoadBalancing => (40.0, 10.0),
            Self::Logs => (10.0, 10.0),
            Self::LogRetention | Self::LogSearch => (5.0, 5.0),
            Self::Images => (20.0, 10.0),
            Self::Objects => (3_500.0, 3_500.0),
        }
    }
}

/// How much of each bucket is ours.
const SHARE: f64 = 0.25;

impl Bucket {
    /// Our share of the burst, and of the refill per second.
    fn ours(self) -> (f64, f64) {
        let (burst, refill) = self.documented();
        ((burst * SHARE).max(1.0), refill * SHARE)
    }

    /// How long it takes to make so many calls, when they are all that is made.
    pub(super) fn takes(self, calls: usize) -> Duration {
        let (_, refill) = self.ours();
        let calls = f64::from(u32::try_from(calls).unwrap_or(u32::MAX));
        Duration::from_secs_f64(calls / refill)
    }
}

/// Who goes first where a bucket is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// A manifest was edited, or a person waits.
    Edit,
    /// Something is under way, or wrong.
    Follow,
    /// It is only time to look again.
    Resync,
}

impl Urgency {
    /// The share of our burst that is left to those that go first.
    fn leaves(self) -> f64 {
        match self {
            Self::Edit => 0.0,
            Self::Follow => 0.25,
            Self::Resync => 0.5,
        }
    }

    /// How many calls there must be for one to be taken.
    fn needs(self, bucket: Bucket) -> f64 {
        let (burst, _) = bucket.ours();
        // Of a bucket for one call, that one.
        (1.0 + burst * self.leaves()).min(burst)
    }
}

/// The state of every bucket.
#[derive(Debug, Default)]
pub struct Budget {
    buckets: Mutex<BTreeMap<Bucket, State>>,
    /// Those that wait, in the order in which they came: one line for each bucket and urgency.
    lines: Mutex<BTreeMap<(Bucket, Urgency), Arc<Line>>>,
}

type Line = tokio::sync::Mutex<()>;

#[derive(Debug)]
struct State {
    /// May be negative: writes that wait have taken theirs already.
    tokens: f64,
    at: Instant,
}

impl Budget {
    /// Waits until one more call of this bucket is ours to make.
    pub async fn take(&self, bucket: Bucket, urgency: Urgency) {
        let line = Arc::clone(locked(&self.lines).entry((bucket, urgency)).or_default());
        let _first = line.lock().await;
        while let Err(wait) = self.try_take(bucket, urgency) {
            tokio::time::sleep(wait).await;
        }
    }

    /// How many wait for a call of this bucket, who are so urgent. Each holds on to their line.
    pub fn waiting(&self, bucket: Bucket, urgency: Urgency) -> usize {
        let lines = locked(&self.lines);
        let line = lines.get(&(bucket, urgency));
        line.map_or(0, |line| Arc::strong_count(line) - 1)
    }

    /// Takes one call, if there is one for this urgency.
    ///
    /// # Errors
    /// How long it takes until there is, if nobody else takes it.
    pub fn try_take(&self, bucket: Bucket, urgency: Urgency) -> Result<(), Duration> {
        let ((_, refill), needed) = (bucket.ours(), urgency.needs(bucket));
        self.with(bucket, |state| {
            if state.tokens >= needed {
                state.tokens -= 1.0;
                return Ok(());
            }
            let wait = (needed - state.tokens) / refill;
            // Never nothing, by which a wait would not end.
            Err(Duration::from_secs_f64(wait).max(Duration::from_millis(1)))
        })
    }

    /// Takes one call in advance, after all that were so taken before, and returns from when on it may be made.
    pub fn reserve(&self, bucket: Bucket) -> Instant {
        let (_, refill) = bucket.ours();
        self.with(bucket, |state| {
            state.tokens -= 1.0;
            state.at + Duration::from_secs_f64((-state.tokens / refill).max(0.0))
        })
    }

    /// Acts on a bucket as it is now.
    fn with<T>(&self, bucket: Bucket, act: impl FnOnce(&mut State) -> T) -> T {
        let ((burst, refill), now) = (bucket.ours(), Instant::now());
        let mut buckets = locked(&self.buckets);
        let state = buckets.entry(bucket).or_insert(State {
            tokens: burst,
            at: now,
        });
        let elapsed = now.saturating_duration_since(state.at).as_secs_f64();
        state.tokens = (state.tokens + elapsed * refill).min(burst);
        state.at = now;
        act(state)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_minute_of_calls_stays_within_our_share() {
        // A quarter of 20 at once, but for what is left to those that go first; then a quarter of one per second.
        for (urgency, calls_of_a_minute) in [
            (Urgency::Edit, 19..=22),
            (Urgency::Follow, 18..=21),
            (Urgency::Resync, 17..=20),
        ] {
            let budget = Budget::default();
            let began = Instant::now();
            let mut calls = 0;
            while began.elapsed() < MINUTE {
                budget.take(Bucket::TaskDefinitionModify, urgency).await;
                calls += 1;
            }
            assert!(
                calls_of_a_minute.contains(&calls),
                "{urgency:?}: {calls} calls"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_edit_finds_calls_while_a_resync_takes_all_that_it_may() {
        let budget = Arc::new(Budget::default());
        let (theirs, count) = (Arc::clone(&budget), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            loop {
                theirs.take(Bucket::ServiceRead, Urgency::Resync).await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        tokio::time::sleep(MINUTE).await;
        for _ in 0..10 {
            let taken = budget.try_take(Bucket::ServiceRead, Urgency::Edit);
            assert_eq!(taken, Ok(()));
        }
        // A quarter of 20 per second, and what there was beyond the half that is left.
        let count = count.load(Ordering::Relaxed);
        assert!((300..=315).contains(&count), "{count}");
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_wait_are_counted_until_they_have_theirs_or_give_up() {
        let (budget, bucket) = (Arc::new(Budget::default()), Bucket::LogRetention);
        let waiting = || budget.waiting(bucket, Urgency::Resync);
        assert_eq!(waiting(), 0);
        let takes = || {
            let budget = Arc::clone(&budget);
            tokio::spawn(async move { budget.take(bucket, Urgency::Resync).await })
        };
        let mut all: Vec<_> = (0..4).map(|_| takes()).collect();
        tokio::task::yield_now().await;
        assert_eq!(waiting(), 3, "one had its call at once");
        assert_eq!(budget.waiting(bucket, Urgency::Edit), 0);
        all.remove(3).abort();
        tokio::task::yield_now().await;
        assert_eq!(waiting(), 2);
        for one in all {
            one.await.unwrap();
        }
        assert_eq!(waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn every_bucket_lets_everyone_through_in_the_end() {
        let budget = Budget::default();
        for bucket in [
            Bucket::LogRetention,
            Bucket::Logs,
            Bucket::TaskDefinitionModify,
        ] {
            for _ in 0..5 {
                budget.take(bucket, Urgency::Resync).await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_in_advance_comes_in_order() {
        let (budget, now) = (Budget::default(), Instant::now());
        let waits: Vec<_> = (0..8)
            .map(|_| budget.reserve(Bucket::TaskDefinitionModify) - now)
            .collect();
        let secs = waits.iter().map(Duration::as_secs).collect::<Vec<_>>();
        assert_eq!(secs, [0, 0, 0, 0, 0, 4, 8, 12]);
    }
}
