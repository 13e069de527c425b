//! Whatever is done to a service, it comes to rest once it is left alone with a good image.

use std::{collections::BTreeSet, time::Duration};

use emulator::core::{Effect, Service};
use serde_json::{Value, json};

use crate::world::World;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn disturb(world: &mut World, random: &mut fastrand::Rng) {
    let processes: Vec<String> = world
        .processes
        .iter()
        .filter(|(_, (_, up))| !up.is_empty())
        .map(|(task, _)| task.clone())
        .collect();
    let victim = random.choice(&processes).cloned();
    match (random.u8(..12), victim) {
        (0 | 1, _) => {
            let tags = [
                "good",
                "better",
                "crashes",
                "unhealthy",
                "unstartable",
                "absent",
            ];
            let definition = world.register(random.choice(tags).unwrap());
            world.update(json!({ "taskDefinition": definition }));
        }
        (2, _) => {
            world.update(json!({ "desiredCount": random.u32(0..5) }));
        }
        (3, _) => {
            world.update(json!({ "forceNewDeployment": true }));
        }
        (4, _) => {
            let percents = json!({
                "minimumHealthyPercent": random.u32(0..=100),
                "maximumPercent": random.u32(101..=200),
                "deploymentCircuitBreaker": { "enable": random.bool(), "rollback": random.bool() },
            });
            world.update(json!({ "deploymentConfiguration": percents }));
        }
        (5, Some(task)) => world.exit(&task, 137, Duration::ZERO),
        (6, Some(task)) => {
            let address = world.processes[&task].0.address;
            if !world.ill.remove(&address) {
                world.ill.insert(address);
            }
        }
        (7, Some(task)) => {
            world.ecs("StopTask", json!({ "cluster": "main", "task": task }));
        }
        (8, _) => {
            let groups = ["sg-1", "sg-2", "sg-deleted"];
            world.update(network(random.choice(groups).unwrap()));
        }
        (9, _) => {
            // A deployment that is over cannot be stopped.
            let arn = world.service_deployments()[0]["serviceDeploymentArn"].clone();
            let input = json!({ "serviceDeploymentArn": arn });
            let _ = world.call(Service::Ecs, "StopServiceDeployment", input);
        }
        (_, _) => world.pass(Duration::from_secs(random.u64(0..60))),
    }
}

fn network(group: &str) -> Value {
    json!({ "networkConfiguration": { "awsvpcConfiguration": {
        "subnets": ["subnet-a", "subnet-b"], "securityGroups": [group],
    } } })
}

fn rest(world: &mut World) {
    world.ill.clear();
    let definition = world.register("good");
    let mut update = network("sg-1");
    update["taskDefinition"] = json!(definition);
    update["desiredCount"] = json!(2);
    update["deploymentConfiguration"] =
        json!({ "minimumHealthyPercent": 100, "maximumPercent": 200 });
    world.update(update);
    world.until(Duration::from_secs(7200), "rest", |world| {
        world.completed() && world.service()["runningCount"] == 2
    });
    world.pass(Duration::from_secs(1200));
}

#[test]
fn a_service_comes_to_rest_after_any_disturbance() {
    for seed in 0..16 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::with_speed(if random.bool() { 1.0 } else { 10.0 });
        world.furnish();
        let input = world.service_input("good", 2);
        world.ecs("CreateService", input);
        for _ in 0..60 {
            disturb(&mut world, &mut random);
            let live: Vec<Value> = world.tasks("RUNNING");
            let addresses: BTreeSet<_> = live.iter().map(address).collect();
            assert_eq!(addresses.len(), live.len(), "seed {seed}: an address twice");
        }
        rest(&mut world);
        let running = world.processes.values().filter(|(_, up)| !up.is_empty());
        assert_eq!(running.count(), 2, "seed {seed}: processes left over");
        assert_eq!(world.served(), 2, "seed {seed}");
        assert_eq!(world.target_states(), ["healthy", "healthy"], "seed {seed}");
        world.effects.clear();
        let before = quiet(&mut world);
        world.pass(if seed == 0 {
            DAY
        } else {
            Duration::from_secs(3600)
        });
        assert_eq!(quiet(&mut world), before, "seed {seed}: not at rest");
        let quiet = world
            .effects
            .iter()
            .all(|(_, effect)| matches!(effect, Effect::Probe(_)));
        assert!(quiet, "seed {seed}: not at rest");
    }
}

/// The service without its events: it repeats that it is steady.
fn quiet(world: &mut World) -> Value {
    let mut service = world.service();
    service["events"] = Value::Null;
    service
}

fn address(task: &Value) -> String {
    let details = task["attachments"][0]["details"].as_array().unwrap();
    let address = details
        .iter()
        .find(|detail| detail["name"] == "privateIPv4Address");
    address.unwrap()["value"].as_str().unwrap().to_owned()
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = || {
        let mut random = fastrand::Rng::with_seed(5);
        let mut world = World::furnished();
        let input = world.service_input("good", 2);
        world.ecs("CreateService", input);
        for _ in 0..40 {
            disturb(&mut world, &mut random);
        }
        world.effects
    };
    assert!(story() == story());
}
