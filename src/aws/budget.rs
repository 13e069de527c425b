//! Client-side rate limits, one token bucket per documented API bucket, so that Evenkeel never takes more than its
//! share of an account's quota.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

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

/// The state of every bucket.
#[derive(Debug, Default)]
pub struct Budget {
    buckets: Mutex<BTreeMap<Bucket, State>>,
}

#[derive(Debug)]
struct State {
    /// May be negative: calls that wait have taken theirs already, so that they are served in order.
    tokens: f64,
    at: Instant,
}

impl Budget {
    /// Waits until one more call of this bucket is ours to make. Returns how long that took.
    pub async fn take(&self, bucket: Bucket) -> Duration {
        let wait = self.reserve(bucket, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        wait
    }

    fn reserve(&self, bucket: Bucket, now: Instant) -> Duration {
        let (burst, refill) = bucket.documented();
        let (burst, refill) = ((burst * SHARE).max(1.0), refill * SHARE);
        let mut buckets = self
            .buckets
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let state = buckets.entry(bucket).or_insert(State {
            tokens: burst,
            at: now,
        });
        let elapsed = now.saturating_duration_since(state.at).as_secs_f64();
        state.tokens = (state.tokens + elapsed * refill).min(burst) - 1.0;
        state.at = now;
        if state.tokens >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-state.tokens / refill)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_minute_of_calls_stays_within_our_share() {
        let budget = Budget::default();
        let began = Instant::now();
        let mut calls = 0;
        while began.elapsed() < Duration::from_secs(60) {
            budget.take(Bucket::TaskDefinitionModify).await;
            calls += 1;
        }
        // A quarter of 20 at once, then a quarter of one per second.
        assert!((19..=22).contains(&calls), "{calls} calls");
    }
}
