//! Services as somebody else may have made them: everything that a seed can come up with and the emulator takes.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::bare::{ACCOUNT, CLUSTER};

/// Images that a container may have.
pub struct Images {
    /// In ECR, with tags.
    pub tagged: String,
    /// In ECR, without one.
    pub untagged: String,
    /// The repository of both.
    pub repository: String,
}

/// Text that is easily taken for something else.
const NASTY: [&str; 26] = [
    "",
    " ",
    "0",
    "010",
    "1.10",
    "1e3",
    "0x1F",
    "1_000",
    "true",
    "No",
    "null",
    "~",
    "- a",
    "a: b",
    "a #b",
    "#a",
    "${image}",
    "$${x} ${terraform.y}",
    "{\"a\": [1, \"b\"]}",
    "\"quoted\" 'twice'",
    "line\nline\r\n\ttab ",
    "back\\slash",
    "ümlaut 🦀 \u{2028}",
    "@at",
    "%percent",
    "*star &and !bang",
];

const SIZES: [(&str, &str); 8] = [
    ("256", "512"),
    ("256", "2048"),
    (".25 vCPU", "1 GB"),
    ("512", "3072"),
    ("1 vCPU", "2GB"),
    ("1024", "8192"),
    ("4096", "9216"),
    ("8192", "20480"),
];

fn text(rng: &mut Rng) -> &'static str {
    NASTY[rng.usize(..NASTY.len())]
}

fn sometimes(rng: &mut Rng, document: &mut Map<String, Value>, key: &str, value: Value) {
    if rng.bool() {
        document.insert(key.to_owned(), value);
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// RegisterTaskDefinition's input.
pub fn definition(rng: &mut Rng, name: &str, images: &Images) -> Value {
    let (cpu, memory) = SIZES[rng.usize(..SIZES.len())];
    let family = if rng.bool() {
        format!("{CLUSTER}-{name}")
    } else {
        format!("legacy_{name}")
    };
    let mut next_port = rng.u16(1..2_000);
    let containers: Vec<_> = (0..rng.usize(1..=4))
        .map(|index| container(rng, index, name, images, &mut next_port))
        .collect();
    let mut definition = object(json!({
        "family": family, "networkMode": "awsvpc", "cpu": cpu, "memory": memory,
        "executionRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/execution"),
        "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": containers,
    }));
    sometimes(
        rng,
        &mut definition,
        "taskRoleArn",
        json!(format!("arn:aws:iam::{ACCOUNT}:role/task")),
    );
    let architecture = ["X86_64", "ARM64"][rng.usize(..2)];
    let platform = json!({"cpuArchitecture": architecture, "operatingSystemFamily": "LINUX"});
    sometimes(rng, &mut definition, "runtimePlatform", platform);
    let gigabytes = rng.u32(21..=200);
    sometimes(
        rng,
        &mut definition,
        "ephemeralStorage",
        json!({"sizeInGiB": gigabytes}),
    );
    sometimes(
        rng,
        &mut definition,
        "tags",
        json!([{"key": "evenkeel:tag", "value": "1.0.0"}]),
    );
    Value::Object(definition)
}

fn container(
    rng: &mut Rng,
    index: usize,
    name: &str,
    images: &Images,
    next_port: &mut u16,
) -> Value {
    let image = match rng.usize(..7) {
        0 | 1 => format!("{}@{}", images.repository, images.tagged),
        2 => format!("{}@{}", images.repository, images.untagged),
        3 => format!("{}:1.0.0", images.repository),
        4 => "docker.io/library/nginx:1.27".to_owned(),
        5 => "nginx".to_owned(),
        _ => format!("127.0.0.1:5000/shop/api:v2@{}", images.tagged),
    };
    let ports: Vec<_> = (0..rng.usize(..3))
        .map(|_| {
            *next_port += rng.u16(1..100);
            let mut mapping = object(json!({"containerPort": *next_port}));
            sometimes(rng, &mut mapping, "hostPort", json!(*next_port));
            sometimes(rng, &mut mapping, "protocol", json!("tcp"));
            if rng.bool() {
                mapping.insert("name".to_owned(), json!(format!("port-{}", *next_port)));
                sometimes(rng, &mut mapping, "appProtocol", json!("http"));
            }
            Value::Object(mapping)
        })
        .collect();
    let environment: Vec<_> = (0..rng.usize(..6))
        .map(|at| json!({"name": format!("V{at}"), "value": text(rng)}))
        .collect();
    let secrets: Vec<_> = (0..rng.usize(..3))
        .map(|at| {
            let arn = format!("arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:s{at}-AbCdEf");
            json!({"name": format!("S{at}"), "valueFrom": arn})
        })
        .collect();
    let mut container = object(json!({
        "name": format!("c{index}"), "image": image, "portMappings": ports, "environment": environment, "secrets": secrets,
    }));
    if index > 0 {
        sometimes(rng, &mut container, "essential", json!(false));
    }
    let few = [json!(0), json!(64)][rng.usize(..2)].clone();
    sometimes(rng, &mut container, "cpu", few);
    let (seconds, more) = (rng.u32(2..=120), rng.u32(2..=120));
    sometimes(rng, &mut container, "stopTimeout", json!(seconds));
    sometimes(rng, &mut container, "startTimeout", json!(more));
    let command = json!(["sh", "-c", text(rng)]);
    sometimes(rng, &mut container, "command", command);
    let files = json!([{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}]);
    sometimes(rng, &mut container, "ulimits", files);
    sometimes(rng, &mut container, "user", json!("1000:1000"));
    let is_read_only = rng.bool();
    sometimes(
        rng,
        &mut container,
        "readonlyRootFilesystem",
        json!(is_read_only),
    );
    let labels = json!({"com.example/team": text(rng), "b": "1"});
    sometimes(rng, &mut container, "dockerLabels", labels);
    sometimes(
        rng,
        &mut container,
        "linuxParameters",
        json!({"initProcessEnabled": true}),
    );
    sometimes(rng, &mut container, "memoryReservation", json!(128));
    if rng.bool() {
        let mut options = object(json!({
            "awslogs-group": format!("/ecs/{}", if rng.bool() { name } else { "shared" }),
            "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p",
        }));
        sometimes(rng, &mut options, "mode", json!("non-blocking"));
        sometimes(rng, &mut options, "max-buffer-size", json!("10m"));
        let log = json!({"logDriver": "awslogs", "options": options});
        container.insert("logConfiguration".to_owned(), log);
    }
    Value::Object(container)
}

/// CreateService's input for a registered definition. It runs no task.
pub fn service(rng: &mut Rng, name: &str, definition: &Value, group: Option<&str>) -> Value {
    let mut subnets = ["subnet-00000001", "subnet-00000002", "subnet-00000003"];
    rng.shuffle(&mut subnets);
    let mut vpc = object(json!({"subnets": subnets[..rng.usize(1..=3)]}));
    let groups = ["sg-00000002", "sg-00000001"];
    let groups = json!(groups[..rng.usize(..=2)]);
    sometimes(rng, &mut vpc, "securityGroups", groups);
    let public = ["ENABLED", "DISABLED"][rng.usize(..2)];
    sometimes(rng, &mut vpc, "assignPublicIp", json!(public));
    let mut service = object(json!({
        "cluster": CLUSTER, "serviceName": name, "desiredCount": 0, "launchType": "FARGATE",
        "taskDefinition": definition["taskDefinitionArn"],
        "networkConfiguration": {"awsvpcConfiguration": vpc},
    }));
    let balanced = definition["containerDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|container| !container["portMappings"].as_array().unwrap().is_empty());
    if let (Some(group), Some(container)) = (group, balanced) {
        let balancer = json!({"targetGroupArn": group, "containerName": container["name"],
            "containerPort": container["portMappings"][0]["containerPort"]});
        service.insert("loadBalancers".to_owned(), json!([balancer]));
        let seconds = rng.u32(..600);
        sometimes(
            rng,
            &mut service,
            "healthCheckGracePeriodSeconds",
            json!(seconds),
        );
    }
    let mut deployment = Map::new();
    let percent = [101, 150, 200][rng.usize(..3)];
    sometimes(rng, &mut deployment, "maximumPercent", json!(percent));
    let percent = [0, 50, 100][rng.usize(..3)];
    sometimes(
        rng,
        &mut deployment,
        "minimumHealthyPercent",
        json!(percent),
    );
    let mut breaker = object(json!({"enable": rng.bool(), "rollback": rng.bool()}));
    let count = rng.u32(1..=20);
    let threshold = json!({"type": "COUNT", "value": count});
    sometimes(rng, &mut breaker, "thresholdConfiguration", threshold);
    let reset = rng.bool();
    sometimes(rng, &mut breaker, "resetOnHealthyTask", json!(reset));
    sometimes(
        rng,
        &mut deployment,
        "deploymentCircuitBreaker",
        Value::Object(breaker),
    );
    sometimes(
        rng,
        &mut service,
        "deploymentConfiguration",
        Value::Object(deployment),
    );
    for (key, words) in [
        ("availabilityZoneRebalancing", ["ENABLED", "DISABLED"]),
        ("platformVersion", ["LATEST", "1.4.0"]),
    ] {
        let word = words[rng.usize(..2)];
        sometimes(rng, &mut service, key, json!(word));
    }
    let propagated = ["NONE", "SERVICE", "TASK_DEFINITION"][rng.usize(..3)];
    sometimes(rng, &mut service, "propagateTags", json!(propagated));
    for key in ["enableExecuteCommand", "enableECSManagedTags"] {
        let is_on = rng.bool();
        sometimes(rng, &mut service, key, json!(is_on));
    }
    let tags = [
        ("team", "shop"),
        ("cost center", "42"),
        ("no", "010"),
        ("Größe", "a = b"),
        ("a/b:c", ""),
    ];
    let tags: Vec<_> = tags[..rng.usize(..=tags.len())]
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    sometimes(rng, &mut service, "tags", json!(tags));
    Value::Object(service)
}
