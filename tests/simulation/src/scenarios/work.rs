//! Work: what edits of manifests ask for.

use serde_json::json;

use super::{api, describe, secs, synced, with};
use crate::{
    furniture::CLUSTER,
    manifest::Manifest,
    scenario::{Act, Expected, Scenario},
    tasks::Script,
};
use evenkeel::status::Phase;

pub(super) fn all() -> Vec<Scenario> {
    vec![
        create(),
        roll_out(),
        supersede(),
        scale(),
        settings(),
        adopt(),
        suspend(),
        orphan(),
        two_services(),
    ]
}

fn create() -> Scenario {
    Scenario {
        name: "create",
        first: with(api("1")),
        then: Vec::new(),
        rests: secs(240),
        ends: vec![("api", synced("1", 2))],
    }
}

fn roll_out() -> Scenario {
    Scenario {
        name: "roll out",
        first: with(api("1")),
        then: vec![
            (secs(180), Act::Push("api", "2", Script::GOOD)),
            (secs(180), describe(api("2"))),
        ],
        rests: secs(480),
        ends: vec![("api", synced("2", 2))],
    }
}

fn supersede() -> Scenario {
    Scenario {
        name: "supersede",
        first: with(api("1")),
        then: vec![
            (secs(180), Act::Push("api", "2", Script::GOOD)),
            (secs(180), Act::Push("api", "3", Script::GOOD)),
            (secs(180), describe(api("2"))),
            (secs(205), describe(api("3"))),
        ],
        rests: secs(560),
        ends: vec![("api", synced("3", 2))],
    }
}

fn scale() -> Scenario {
    let to = |count| Manifest {
        count: Some(count),
        ..api("1")
    };
    Scenario {
        name: "scale",
        first: with(api("1")),
        then: vec![(secs(180), describe(to(4))), (secs(300), describe(to(1)))],
        rests: secs(480),
        ends: vec![("api", synced("1", 1))],
    }
}

/// What starts no deployment: labels, the grace period, the retention.
fn settings() -> Scenario {
    let edited = Manifest {
        labels: [("team".to_owned(), "shop".to_owned())].into(),
        grace: Some(45),
        retention: Some(30),
        ..api("1")
    };
    let bare = Manifest {
        retention: Some(7),
        ..api("1")
    };
    Scenario {
        name: "settings",
        first: with(api("1")),
        then: vec![(secs(180), describe(edited)), (secs(300), describe(bare))],
        rests: secs(420),
        ends: vec![("api", synced("1", 2))],
    }
}

fn adopt() -> Scenario {
    let definition = json!({
        "family": "by-hand", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [{
            "name": "main", "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/api:1",
            "portMappings": [{ "containerPort": 80 }],
        }],
    });
    let service = json!({
        "cluster": CLUSTER, "serviceName": "api", "taskDefinition": "by-hand", "desiredCount": 1, "launchType": "FARGATE",
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-a"], "securityGroups": ["sg-other"] } },
    });
    let manifest = |adopt| Manifest {
        adopt,
        ..Manifest::new("api", "1")
    };
    Scenario {
        name: "adopt",
        first: vec![
            Act::Furnish("api", "1", false),
            Act::Ecs("RegisterTaskDefinition", definition),
            Act::Ecs("CreateService", service),
            describe(manifest(false)),
        ],
        then: vec![(secs(120), describe(manifest(true)))],
        rests: secs(420),
        ends: vec![("api", synced("1", 1))],
    }
}

fn suspend() -> Scenario {
    let suspended = |suspend| Manifest {
        suspend,
        ..api("1")
    };
    let meddling = json!({ "cluster": CLUSTER, "service": "api", "desiredCount": 3 });
    Scenario {
        name: "suspend",
        first: with(api("1")),
        then: vec![
            (secs(180), describe(suspended(true))),
            (secs(200), Act::Ecs("UpdateService", meddling)),
            (secs(300), describe(suspended(false))),
        ],
        rests: secs(420),
        ends: vec![("api", synced("1", 2))],
    }
}

fn orphan() -> Scenario {
    let web = || Manifest::new("web", "1");
    let orphaned = Expected {
        phase: Phase::Orphaned,
        tag: "1",
        tasks: 1,
    };
    let mut first = with(api("1"));
    first.extend([Act::Furnish("web", "1", false), describe(web())]);
    Scenario {
        name: "orphan",
        first,
        then: vec![(secs(180), Act::Remove("web"))],
        rests: secs(600),
        ends: vec![("api", synced("1", 2)), ("web", orphaned)],
    }
}

fn two_services() -> Scenario {
    let web = |tag| Manifest::new("web", tag);
    let mut first = with(api("1"));
    first.extend([Act::Furnish("web", "1", false), describe(web("1"))]);
    Scenario {
        name: "two services",
        first,
        then: vec![
            (secs(180), Act::Push("web", "2", Script::GOOD)),
            (secs(180), Act::Push("api", "2", Script::GOOD)),
            (secs(180), describe(web("2"))),
            (secs(181), describe(api("2"))),
        ],
        rests: secs(500),
        ends: vec![("api", synced("2", 2)), ("web", synced("2", 1))],
    }
}
