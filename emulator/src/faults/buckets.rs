//! The token buckets of AWS's APIs, per account and region.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html>,
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>. What these do not list is not
//! throttled here.

use std::time::Duration;

use jiff::Timestamp;

use crate::core::{Call, Service};

/// One documented bucket.
#[derive(Debug)]
struct Row {
    service: Service,
    operations: &'static [&'static str],
    burst: u32,
    per_second: f64,
}

const fn row(
    service: Service,
    burst: u32,
    per_second: f64,
    operations: &'static [&'static str],
) -> Row {
    Row {
        service,
        operations,
        burst,
        per_second,
    }
}

const ROWS: &[Row] = &[
    row(
        Service::Ecs,
        20,
        1.0,
        &["RegisterTaskDefinition", "DeregisterTaskDefinition"],
    ),
    row(
        Service::Ecs,
        50,
        20.0,
        &[
            "DescribeTaskDefinition",
            "ListTaskDefinitions",
            "ListTaskDefinitionFamilies",
        ],
    ),
    row(Service::Ecs, 5, 1.0, &["DeleteTaskDefinitions"]),
    row(
        Service::Ecs,
        50,
        5.0,
        &["CreateService", "UpdateService", "DeleteService"],
    ),
    row(
        Service::Ecs,
        100,
        20.0,
        &["DescribeServices", "ListServices"],
    ),
    row(
        Service::Ecs,
        50,
        20.0,
        &["ListServiceDeployments", "DescribeServiceDeployments"],
    ),
    row(Service::Ecs, 50, 20.0, &["DescribeServiceRevisions"]),
    row(Service::Ecs, 100, 20.0, &["DescribeTasks", "ListTasks"]),
    row(Service::Ecs, 100, 40.0, &["RunTask", "StopTask"]),
    row(
        Service::Ecs,
        50,
        20.0,
        &["DescribeClusters", "ListClusters"],
    ),
    row(Service::Ecs, 20, 1.0, &["CreateCluster", "DeleteCluster"]),
    row(Service::Ecs, 20, 10.0, &["TagResource", "UntagResource"]),
    row(Service::Ecs, 50, 20.0, &["ListTagsForResource"]),
    // Every call takes from this one and from one of its own.
    row(Service::Elbv2, 40, 10.0, &["*"]),
    row(Service::Elbv2, 40, 10.0, &["Describe*"]),
    row(
        Service::Elbv2,
        20,
        4.0,
        &["RegisterTargets", "DeregisterTargets"],
    ),
    row(
        Service::Elbv2,
        10,
        0.2,
        &["CreateLoadBalancer", "SetSubnets"],
    ),
    row(
        Service::Elbv2,
        20,
        3.0,
        &[
            "AddTags",
            "CreateListener",
            "CreateRule",
            "CreateTargetGroup",
            "Delete*",
            "Modify*",
            "RemoveTags",
            "SetRulePriorities",
            "SetSecurityGroups",
        ],
    ),
    row(Service::Logs, 10, 10.0, &["CreateLogGroup"]),
    row(Service::Logs, 5, 5.0, &["PutRetentionPolicy"]),
    row(Service::Logs, 10, 10.0, &["DescribeLogGroups"]),
    row(Service::Logs, 25, 25.0, &["DescribeLogStreams"]),
    row(Service::Logs, 25, 25.0, &["GetLogEvents"]),
    row(Service::Logs, 10, 10.0, &["FilterLogEvents"]),
    row(Service::Logs, 5000, 5000.0, &["PutLogEvents"]),
    row(Service::Logs, 5, 5.0, &["TagResource"]),
];

/// How full every bucket is.
#[derive(Debug, Clone)]
pub(super) struct Buckets(Vec<Level>);

#[derive(Debug, Clone, Copy)]
struct Level {
    tokens: f64,
    at: Timestamp,
}

impl Buckets {
    pub(super) fn full(now: Timestamp) -> Self {
        let level = |row: &Row| Level {
            tokens: f64::from(row.burst),
            at: now,
        };
        Self(ROWS.iter().map(level).collect())
    }

    /// Whether every bucket that a call takes from has a token for it; they are taken then.
    pub(super) fn take(&mut self, call: &Call, now: Timestamp) -> bool {
        let mut own: Vec<&mut Level> = Vec::new();
        for (row, level) in ROWS.iter().zip(&mut self.0) {
            if row.covers(call) {
                level.refill(row, now);
                own.push(level);
            }
        }
        let enough = own.iter().all(|level| level.tokens >= 1.0);
        if enough {
            own.into_iter().for_each(|level| level.tokens -= 1.0);
        }
        enough
    }
}

impl Row {
    fn covers(&self, call: &Call) -> bool {
        let named = |name: &&str| match name.strip_suffix('*') {
            Some(prefix) => call.operation.starts_with(prefix),
            None => call.operation == **name,
        };
        self.service == call.service && self.operations.iter().any(named)
    }
}

impl Level {
    fn refill(&mut self, row: &Row, now: Timestamp) {
        let passed = Duration::try_from(now.duration_since(self.at)).unwrap_or_default();
        let more = self.tokens + passed.as_secs_f64() * row.per_second;
        self.tokens = more.min(f64::from(row.burst));
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(service: Service, operation: &str) -> Call {
        Call {
            service,
            operation: operation.into(),
            input: serde_json::json!({}),
            caller: String::new(),
        }
    }

    fn taken(buckets: &mut Buckets, call: &Call, now: Timestamp) -> usize {
        (0..1_000).take_while(|_| buckets.take(call, now)).count()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Timestamp::UNIX_EPOCH;
        let mut buckets = Buckets::full(start);
        let register = call(Service::Ecs, "RegisterTaskDefinition");
        assert_eq!(taken(&mut buckets, &register, start), 20);
        let deregister = call(Service::Ecs, "DeregisterTaskDefinition");
        assert_eq!(taken(&mut buckets, &deregister, start), 0);
        let later = start + Duration::from_millis(3_500);
        assert_eq!(taken(&mut buckets, &deregister, later), 3);
        let much_later = start + Duration::from_secs(3_600);
        assert_eq!(taken(&mut buckets, &register, much_later), 20);
        assert_eq!(
            taken(&mut buckets, &call(Service::Ecs, "DescribeTasks"), start),
            100
        );
        assert_eq!(
            taken(
                &mut buckets,
                &call(Service::Sts, "GetCallerIdentity"),
                start
            ),
            1_000
        );
    }

    #[test]
    fn every_load_balancing_call_takes_from_two() {
        let now = Timestamp::UNIX_EPOCH;
        let mut buckets = Buckets::full(now);
        assert_eq!(
            taken(&mut buckets, &call(Service::Elbv2, "ModifyRule"), now),
            20
        );
        assert_eq!(
            taken(
                &mut buckets,
                &call(Service::Elbv2, "DescribeTargetHealth"),
                now
            ),
            20
        );
        assert_eq!(
            taken(&mut buckets, &call(Service::Elbv2, "RegisterTargets"), now),
            0
        );
    }
}
