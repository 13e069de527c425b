//! The model as it was, for reads that lag behind.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;

use crate::core::Cloud;

/// At most so many states are kept, and two more.
const STATES: u32 = 64;

/// States of the last while. Of several that follow each other within a 64th of it, the last one is kept.
#[derive(Debug)]
pub(super) struct History {
    keep: Duration,
    since: Timestamp,
    /// Each with the time from which it held, oldest first.
    states: VecDeque<(Timestamp, Cloud)>,
    changed: Timestamp,
}

impl History {
    /// Begins with the state as it is now.
    pub(super) fn new(keep: Duration, cloud: &Cloud, now: Timestamp) -> Self {
        Self {
            keep,
            since: now,
            states: VecDeque::from([(now, cloud.clone())]),
            changed: now,
        }
    }

    /// Must be told before every change.
    pub(super) fn about_to_change(&mut self, cloud: &Cloud, now: Timestamp) {
        if self.slot(now) != self.slot(self.changed) {
            self.states.push_back((self.changed, cloud.clone()));
        }
        self.changed = now;
        let oldest = now.checked_sub(self.keep).unwrap_or(Timestamp::MIN);
        while self.states.get(1).is_some_and(|(at, _)| *at <= oldest) {
            self.states.pop_front();
        }
    }

    /// The state at some time, or the oldest one known; `None` when it is the present one.
    pub(super) fn at(&mut self, time: Timestamp) -> Option<&mut Cloud> {
        let index = self.index(time)?;
        self.states.get_mut(index).map(|(_, cloud)| cloud)
    }

    /// From when on that state held: what came later it does not have.
    pub(super) fn since(&self, time: Timestamp) -> Option<Timestamp> {
        self.states.get(self.index(time)?).map(|(since, _)| *since)
    }

    fn index(&self, time: Timestamp) -> Option<usize> {
        if self.changed <= time {
            return None;
        }
        let newer = self.states.iter().position(|(at, _)| *at > time);
        Some(newer.unwrap_or(self.states.len()).saturating_sub(1))
    }

    fn slot(&self, time: Timestamp) -> u128 {
        let since = Duration::try_from(time.duration_since(self.since)).unwrap_or_default();
        let width = (self.keep / STATES).max(Duration::from_millis(10));
        since.as_nanos().checked_div(width.as_nanos()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::core::{Call, Service, Settings};

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn call(operation: &str, input: serde_json::Value) -> Call {
        Call {
            service: Service::Ecs,
            operation: operation.into(),
            input,
            caller: String::new(),
        }
    }

    fn clusters(cloud: &mut Cloud, now: Timestamp) -> usize {
        let (mut count, mut input) = (0, json!({}));
        loop {
            let page = cloud.handle(&call("ListClusters", input), now).0.unwrap();
            count += page["clusterArns"].as_array().unwrap().len();
            match page.get("nextToken") {
                Some(token) => input = json!({ "nextToken": token }),
                None => return count,
            }
        }
    }

    /// A history of a minute in which a cluster is made every so often.
    fn history(times: &[f64]) -> (History, Cloud) {
        let mut cloud = Cloud::new(Settings {
            account: "000000000000".into(),
            region: "us-east-1".into(),
            speed: 1.0,
            seed: 1,
            secrets: BTreeMap::new(),
        });
        let mut history = History::new(Duration::from_secs(60), &cloud, START);
        for (number, at) in times.iter().enumerate() {
            let now = START + Duration::from_secs_f64(*at);
            history.about_to_change(&cloud, now);
            let create = json!({ "clusterName": format!("c{number}") });
            cloud.handle(&call("CreateCluster", create), now).0.unwrap();
        }
        (history, cloud)
    }

    fn seen(history: &mut History, at: f64) -> Option<usize> {
        let time = START + Duration::from_secs_f64(at);
        history.at(time).map(|cloud| clusters(cloud, time))
    }

    #[test]
    fn the_past_is_as_it_was() {
        let (mut history, _) = history(&[10.0, 20.0, 30.0]);
        assert_eq!(seen(&mut history, 5.0), Some(0));
        assert_eq!(seen(&mut history, 15.0), Some(1));
        assert_eq!(seen(&mut history, 29.0), Some(2));
        assert_eq!(seen(&mut history, 30.0), None);
        let since = |at: f64| history.since(START + Duration::from_secs_f64(at));
        assert_eq!(since(15.0), Some(START + Duration::from_secs(10)));
        assert_eq!(since(30.0), None);
    }

    #[test]
    fn before_its_beginning_there_is_the_beginning() {
        let (mut history, _) = history(&[0.001, 50.0]);
        let before = START.checked_sub(Duration::from_secs(100)).unwrap();
        assert_eq!(history.at(before).map(|it| clusters(it, before)), Some(0));
        assert_eq!(seen(&mut history, 49.0), Some(1));
    }

    #[test]
    fn it_is_bounded_and_never_much_older_than_asked() {
        let times: Vec<f64> = (1..=1_000).map(|n| f64::from(n) / 10.0).collect();
        let (mut history, _) = history(&times);
        assert!(history.states.len() <= 66, "{}", history.states.len());
        let then = seen(&mut history, 70.0).unwrap();
        assert!((690..=700).contains(&then), "{then}");
    }
}
