//! What failed is recognised, whatever it was made of.

use evenkeel::{
    document::Document,
    observed::{Observed, Outcome, PastDeployment},
    plan::{self, Lessons},
};
use serde_json::json;

use super::{facts, pairs::Pair};

/// What a service revision has of a service (API_ServiceRevision).
const CARRIED: [&str; 6] = [
    "capacityProviderStrategy",
    "launchType",
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceRegistries",
];

#[test]
fn what_failed_is_held_whatever_it_was_made_of() {
    for pair in Pair::all() {
        for is_first in [true, false] {
            let observed = rolled_back(&pair, is_first);
            let plan = plan::plan(&pair.desired, &observed, &Lessons::default());
            assert!(plan.hold.is_some(), "{}: {:?}", pair.name, plan.steps);
            assert!(!plan.starts_deployment(), "{}: {:?}", pair.name, plan.steps);
        }
    }
}

#[test]
fn what_failed_otherwise_is_not_held() {
    for pair in Pair::all() {
        let mut observed = rolled_back(&pair, false);
        let failed = observed.history[0].definition.as_mut().unwrap();
        failed.document["containerDefinitions"][0]["stopTimeout"] = json!(99);
        let plan = plan::plan(&pair.desired, &observed, &Lessons::default());
        assert!(plan.hold.is_none(), "{}", pair.name);
    }
}

/// The manifest's documents have failed, and the service runs another image again.
pub fn rolled_back(pair: &Pair, is_first: bool) -> Observed {
    let mut observed = pair.observed();
    let failed = observed.definition.clone();
    let running = observed.definition.as_mut().unwrap();
    running.document["containerDefinitions"][0]["image"] = json!("public.ecr.aws/shop/shop:1");
    observed.history = vec![PastDeployment {
        arn: "arn:aws:ecs:us-east-1:123456789012:service-deployment/prod/shop/1".to_owned(),
        outcome: Outcome::Failed,
        reason: "tasks failed to start".to_owned(),
        created_at: None,
        finished_at: None,
        revision: revision(&pair.service, is_first),
        definition: failed,
        failure: None,
    }];
    observed
}

/// As DescribeServiceRevisions returns it: LATEST is a number, and a first revision lacks its load balancers and
/// registries.
fn revision(service: &Document, is_first: bool) -> Document {
    let mut revision = service.clone();
    revision.retain(|member, _| CARRIED.contains(&member.as_str()));
    if service.get("platformVersion") == Some(&json!("LATEST")) {
        revision["platformVersion"] = json!("1.4.0");
    }
    if is_first {
        revision.remove("loadBalancers");
        revision.remove("serviceRegistries");
    }
    let deployments = service["deployments"].as_array().unwrap();
    let primary = deployments
        .iter()
        .find(|d| d["status"] == "PRIMARY")
        .unwrap();
    for member in facts::ON_PRIMARY {
        if let Some(value) = primary.get(member) {
            revision.insert(member.to_owned(), value.clone());
        }
    }
    revision
}
