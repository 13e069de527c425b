use serde_json::json;

use super::*;
use crate::{
    desired::{Desired, Settings},
    diff::differences,
    manifest::{Options, References},
    observed::Image,
};

fn object(value: Value) -> Document {
    value.as_object().unwrap().clone()
}

fn service(change: Value) -> LiveService {
    let mut service = object(json!({
        "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/prod/api", "serviceName": "api",
        "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/prod", "status": "ACTIVE",
        "desiredCount": 2, "runningCount": 2, "pendingCount": 0, "launchType": "FARGATE",
        "platformVersion": "LATEST", "platformFamily": "Linux", "taskDefinition": "arn:td/legacy:7",
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": true, "rollback": false, "resetOnHealthyTask": true,
                "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50}},
            "maximumPercent": 200, "minimumHealthyPercent": 50, "strategy": "ROLLING", "bakeTimeInMinutes": 0},
        "deployments": [], "roleArn": "arn:role", "events": [], "createdAt": 1.5,
        "placementConstraints": [], "placementStrategy": [], "availabilityZoneRebalancing": "ENABLED",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": [], "assignPublicIp": "DISABLED"}},
        "healthCheckGracePeriodSeconds": 0, "schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": false, "propagateTags": "NONE", "enableExecuteCommand": false,
    }));
    service.extend(object(change));
    LiveService(service)
}

fn definition() -> Revision {
    let document = json!({
        "taskDefinitionArn": "arn:td/legacy:7", "family": "legacy", "revision": 7, "status": "ACTIVE",
        "networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"],
        "volumes": [], "placementConstraints": [], "compatibilities": ["EC2", "FARGATE"],
        "containerDefinitions": [
            {"name": "proxy", "image": "envoy:1", "cpu": 0, "essential": false, "environment": [],
             "portMappings": [], "mountPoints": [], "volumesFrom": [], "systemControls": []},
            {"name": "api", "image": "docker.io/shop/api:1.10", "cpu": 0, "essential": true,
             "environment": [{"name": "T", "value": "a ${b} $${c}: #\n\u{7f}\""}, {"name": "E", "value": ""},
                             {"name": "N", "value": "010"}, {"name": "B", "value": "no"}],
             "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
             "mountPoints": [], "volumesFrom": [], "systemControls": []},
        ],
    });
    Revision {
        document: object(document),
        tags: BTreeMap::new(),
    }
}

fn written(service: &LiveService) -> Written {
    let definition = definition();
    let container = main_container(service, &definition).unwrap();
    let image = Reference::split(document::text(container, "image")).as_image(&Registry::Other);
    write(&Live {
        cluster: "prod",
        service,
        definition: &definition,
        image: image.as_ref(),
        log_group: None,
        owner: "evenkeel/prod/api",
        form: &Form::current(),
    })
    .unwrap()
}

fn parsed(text: &str) -> manifest::Manifest {
    let (manifests, diagnostics) =
        manifest::parse_file("api.yaml", text, &References::default(), Options::default());
    assert_eq!(diagnostics, [], "{text}");
    manifests.into_iter().next().unwrap()
}

#[test]
fn what_is_written_is_what_there_is_and_no_default() {
    let live = service(
        json!({"tags": [{"key": "team", "value": "shop"}, {"key": "a b", "value": "c"},
        {"key": "aws:cloudformation:stack-name", "value": "x"}]}),
    );
    let Written { text, notes } = written(&live);
    assert_eq!(
        text,
        r#"apiVersion: evenkeel/v1
kind: Service
metadata:
  name: api
  labels:
    team: shop
spec:
  cluster: prod
  image:
    repository: docker.io/shop/api
    tag: "1.10"
  service:
    desiredCount: 2
    launchType: FARGATE
    deploymentConfiguration:
      deploymentCircuitBreaker:
        enable: true
        rollback: false
      minimumHealthyPercent: 50
    networkConfiguration:
      awsvpcConfiguration:
        subnets: [subnet-1]
    propagateTags: NONE
  taskDefinition:
    family: legacy
    networkMode: awsvpc
    cpu: "256"
    memory: "512"
    requiresCompatibilities: [FARGATE]
    containerDefinitions:
      - {name: proxy, image: "envoy:1", essential: false}
      - name: api
        image: ${image}
        environment:
          - {name: T, value: "a $${b} $$${c}: #\n\u007F\""}
          - {name: E, value: ""}
          - {name: "N", value: "010"}
          - {name: B, value: "no"}
        portMappings:
          - {containerPort: 80}
  adopt: true
"#
    );
    assert_eq!(
        notes,
        ["the tag `a b` cannot be a label; it stays on the service as it is"]
    );
}

/// What of ECS the emulator does not have, in every member that has a default or a key of its own.
#[test]
fn the_manifest_asks_for_what_no_laptop_can_run() {
    let live = service(json!({
        "launchType": null, "platformVersion": "1.4.0", "availabilityZoneRebalancing": "DISABLED",
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}, {"capacityProvider": "FARGATE", "weight": 0, "base": 1}],
        "serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:r:1:service/s", "containerPort": 80, "containerName": "api"}],
        "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.instance-type =~ t2.*"}],
        "deploymentConfiguration": {"alarms": {"alarmNames": ["a"], "enable": true, "rollback": false}, "maximumPercent": 200,
            "minimumHealthyPercent": 100, "strategy": "ROLLING", "bakeTimeInMinutes": 0},
        "deployments": [{"status": "PRIMARY", "serviceConnectConfiguration": {"enabled": true, "namespace": "n",
            "services": [{"portName": "http", "clientAliases": [{"port": 80}]}]},
            "volumeConfigurations": [{"name": "data", "managedEBSVolume": {"roleArn": "arn:role", "sizeInGiB": 10}}]}],
        "tags": [{"key": "team", "value": "shop"}], "propagateTags": "TASK_DEFINITION",
    }));
    let mut definition = definition();
    definition.document.extend(object(json!({
        "pidMode": "task", "enableFaultInjection": false, "proxyConfiguration": {"type": "APPMESH", "containerName": "proxy",
            "properties": [{"name": "AppPorts", "value": "80"}]},
        "volumes": [{"name": "data", "configuredAtLaunch": true},
            {"name": "files", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/", "transitEncryption": "ENABLED",
                "authorizationConfig": {"iam": "DISABLED"}}}],
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
    })));
    let container = definition.document["containerDefinitions"][1]
        .as_object_mut()
        .unwrap();
    container.extend(object(json!({
        "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:1",
        "healthCheck": {"command": ["CMD-SHELL", "curl -f ${URL:-http://localhost}"], "interval": 30, "timeout": 5, "retries": 5, "startPeriod": 0},
        "dependsOn": [{"containerName": "proxy", "condition": "HEALTHY"}],
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": false}],
        "volumesFrom": [{"sourceContainer": "proxy", "readOnly": true}],
        "restartPolicy": {"enabled": true, "ignoredExitCodes": [0], "restartAttemptPeriod": 300},
        "environmentFiles": [{"value": "arn:aws:s3:::b/e.env", "type": "s3"}], "entryPoint": ["sh"], "workingDirectory": "/w",
        "systemControls": [{"namespace": "net.core.somaxconn", "value": "1024"}], "resourceRequirements": [],
        "linuxParameters": {"capabilities": {"drop": ["ALL"], "add": []}, "devices": [], "tmpfs": []},
        "logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "x"}, "secretOptions": [{"name": "k", "valueFrom": "arn:s"}]},
        "versionConsistency": "enabled", "interactive": false, "newerThanOurTable": 1,
    })));
    let live = Live {
        cluster: "prod",
        service: &live,
        definition: &definition,
        image: None,
        log_group: None,
        owner: "evenkeel/prod/api",
        form: &Form::current(),
    };
    let Written { text, notes } = write(&live).unwrap();
    assert!(
        notes.len() == 1 && notes[0].contains("containerDefinitions[1].newerThanOurTable"),
        "{notes:?}"
    );
    for default in [
        "restartAttemptPeriod",
        "interval",
        "base: 0",
        "weight: 0",
        "readOnly: false",
        "devices",
        "enableFaultInjection",
    ] {
        assert!(!text.contains(default), "{default}: {text}");
    }
    asks_for_nothing_else(&text, &live, &Image::NotUsed);
}

#[test]
fn the_manifest_asks_for_what_there_is() {
    let live = service(
        json!({"loadBalancers": [{"targetGroupArn": "arn:tg", "containerName": "api", "containerPort": 80}]}),
    );
    let text = written(&live).text;
    let manifest = parsed(&text);
    assert_eq!(manifest.desired_count, Some(2));
    assert!(manifest.adopt);
    let image = Image::Resolved {
        reference: "docker.io/shop/api:1.10".to_owned(),
        digest: None,
    };
    let live = Live {
        cluster: "prod",
        service: &live,
        definition: &definition(),
        image: None,
        log_group: None,
        owner: "evenkeel/prod/api",
        form: &Form::current(),
    };
    asks_for_nothing_else(&text, &live, &image);
}

fn asks_for_nothing_else(text: &str, live: &Live<'_>, image: &Image) {
    let form = live.form.clone();
    let settings = Settings {
        owner: "evenkeel".to_owned(),
        form: form.clone(),
    };
    let desired = Desired::new(std::sync::Arc::new(parsed(text)), &settings, image);
    let wanted = desired.definition.clone().unwrap();
    let there = shape::of_definition(&live.definition.document, &wanted);
    let found = differences(
        &form,
        "taskDefinition",
        &form.definition(&wanted),
        &form.definition(&there),
    );
    assert_eq!(found, [], "{text}");
    let there = shape::of_service(&live.service.0, &desired.service);
    let found = differences(
        &form,
        "service",
        &form.service(&desired.service),
        &form.service(&there),
    );
    assert_eq!(found, [], "{text}");
}

#[test]
fn whose_it_is_decides() {
    let tagged = |owner: &str| service(json!({"tags": [{"key": tags::OWNER, "value": owner}]}));
    assert!(!written(&tagged("evenkeel/prod/api")).text.contains("adopt"));
    let (other, definition, form) = (tagged("other/prod/api"), definition(), Form::current());
    let live = |service| Live {
        cluster: "prod",
        service,
        definition: &definition,
        image: None,
        log_group: None,
        owner: "evenkeel/prod/api",
        form: &form,
    };
    assert_eq!(
        write(&live(&other)),
        Err(Refused::OwnedByOther("other/prod/api".to_owned()))
    );
    let draining = service(json!({"status": "DRAINING"}));
    assert_eq!(
        write(&live(&draining)),
        Err(Refused::NotActive("DRAINING".to_owned()))
    );
}

#[test]
fn a_reference_is_split_only_where_it_comes_together_again() {
    let ecr = |tags: &[&str], known: Option<&str>| Registry::Ecr {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        known: known.map(str::to_owned),
    };
    let tag = |text: &str, registry: &Registry| {
        Reference::split(text)
            .as_image(registry)
            .map(|image| image.tag)
    };
    let by_digest = "123456789012.dkr.ecr.us-east-1.amazonaws.com/api@sha256:00";
    assert_eq!(
        tag(by_digest, &ecr(&["latest", "stable", "1.0.0"], None)).as_deref(),
        Some("1.0.0")
    );
    assert_eq!(
        tag(by_digest, &ecr(&["latest", "1.0.0"], Some("latest"))).as_deref(),
        Some("latest")
    );
    assert_eq!(tag(by_digest, &ecr(&[], Some("gone"))), None);
    let by_tag = "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:1";
    assert_eq!(tag(by_tag, &ecr(&["1"], None)), None);
    assert_eq!(tag("nginx:1.27", &Registry::Other).as_deref(), Some("1.27"));
    for written_out in [
        "nginx",
        "nginx@sha256:00",
        "nginx:1@sha256:00",
        "127.0.0.1:5000/api",
    ] {
        assert_eq!(tag(written_out, &Registry::Other), None, "{written_out}");
    }
}
