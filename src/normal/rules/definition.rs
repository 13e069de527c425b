//! The fields of a task definition.

use serde_json::json;

use super::Rule::{self, Conditional, CpuUnits, Default, Keyed, Mebibytes, Unordered};

pub(super) const RULES: &[(&str, Rule)] = &[
    (
        "taskDefinition.containerDefinitions",
        Keyed(&["name"], None),
    ),
    (
        "taskDefinition.containerDefinitions.*.cpu",
        Default(|| json!(0)),
    ),
    // Docker, whose options these switches are, has them off (API_ContainerDefinition); so below.
    (
        "taskDefinition.containerDefinitions.*.disableNetworking",
        Default(|| json!(false)),
    ),
    (
        "taskDefinition.containerDefinitions.*.dockerSecurityOptions",
        Unordered,
    ),
    (
        "taskDefinition.containerDefinitions.*.environment",
        Keyed(&["name"], Some("value")),
    ),
    (
        "taskDefinition.containerDefinitions.*.essential",
        Default(|| json!(true)),
    ),
    (
        "taskDefinition.containerDefinitions.*.extraHosts",
        Unordered,
    ),
    (
        "taskDefinition.containerDefinitions.*.healthCheck.interval",
        Default(|| json!(30)),
    ),
    (
        "taskDefinition.containerDefinitions.*.healthCheck.retries",
        Default(|| json!(3)),
    ),
    (
        "taskDefinition.containerDefinitions.*.healthCheck.startPeriod",
        Default(|| json!(0)),
    ),
    (
        "taskDefinition.containerDefinitions.*.healthCheck.timeout",
        Default(|| json!(5)),
    ),
    (
        "taskDefinition.containerDefinitions.*.interactive",
        Default(|| json!(false)),
    ),
    ("taskDefinition.containerDefinitions.*.links", Unordered),
    (
        "taskDefinition.containerDefinitions.*.linuxParameters.capabilities.add",
        Unordered,
    ),
    (
        "taskDefinition.containerDefinitions.*.linuxParameters.capabilities.drop",
        Unordered,
    ),
    (
        "taskDefinition.containerDefinitions.*.linuxParameters.devices.*.permissions",
        Unordered,
    ),
    (
        "taskDefinition.containerDefinitions.*.linuxParameters.initProcessEnabled",
        Default(|| json!(false)),
    ),
    (
        "taskDefinition.containerDefinitions.*.linuxParameters.swappiness",
        Default(|| json!(60)),
    ),
    (
        "taskDefinition.containerDefinitions.*.logConfiguration.options.max-buffer-size",
        Conditional,
    ),
    (
        "taskDefinition.containerDefinitions.*.logConfiguration.options.mode",
        Conditional,
    ),
    (
        "taskDefinition.containerDefinitions.*.logConfiguration.secretOptions",
        Keyed(&["name"], Some("valueFrom")),
    ),
    (
        "taskDefinition.containerDefinitions.*.mountPoints.*.readOnly",
        Default(|| json!(false)),
    ),
    (
        "taskDefinition.containerDefinitions.*.portMappings",
        Keyed(&["containerPort", "containerPortRange", "protocol"], None),
    ),
    (
        "taskDefinition.containerDefinitions.*.portMappings.*.hostPort",
        Default(|| json!(0)),
    ),
    (
        "taskDefinition.containerDefinitions.*.portMappings.*.protocol",
        Default(|| json!("tcp")),
    ),
    (
        "taskDefinition.containerDefinitions.*.privileged",
        Default(|| json!(false)),
    ),
    (
        "taskDefinition.containerDefinitions.*.pseudoTerminal",
        Default(|| json!(false)),
    ),
    (
        "taskDefinition.containerDefinitions.*.readonlyRootFilesystem",
        Default(|| json!(false)),
    ),
    (
        "taskDefinition.containerDefinitions.*.resourceRequirements",
        Unordered,
    ),
    (
        "taskDefinition.containerDefinitions.*.restartPolicy.ignoredExitCodes",
        Unordered,
    ),
    (
        "taskDefinition.containerDefinitions.*.restartPolicy.restartAttemptPeriod",
        Default(|| json!(300)),
    ),
    (
        "taskDefinition.containerDefinitions.*.secrets",
        Keyed(&["name"], Some("valueFrom")),
    ),
    (
        "taskDefinition.containerDefinitions.*.systemControls",
        Keyed(&["namespace"], Some("value")),
    ),
    (
        "taskDefinition.containerDefinitions.*.ulimits",
        Keyed(&["name"], None),
    ),
    (
        "taskDefinition.containerDefinitions.*.versionConsistency",
        Default(|| json!("enabled")),
    ),
    (
        "taskDefinition.containerDefinitions.*.volumesFrom",
        Unordered,
    ),
    (
        "taskDefinition.containerDefinitions.*.volumesFrom.*.readOnly",
        Default(|| json!(false)),
    ),
    ("taskDefinition.cpu", CpuUnits),
    (
        "taskDefinition.enableFaultInjection",
        Default(|| json!(false)),
    ),
    ("taskDefinition.memory", Mebibytes),
    // API_RegisterTaskDefinition; on Windows it is written as "default"
    ("taskDefinition.networkMode", Default(|| json!("bridge"))),
    ("taskDefinition.placementConstraints", Unordered),
    (
        "taskDefinition.proxyConfiguration.properties",
        Keyed(&["name"], Some("value")),
    ),
    ("taskDefinition.requiresCompatibilities", Unordered),
    (
        "taskDefinition.runtimePlatform.cpuArchitecture",
        Default(|| json!("X86_64")),
    ),
    (
        "taskDefinition.runtimePlatform.operatingSystemFamily",
        Default(|| json!("LINUX")),
    ),
    (
        "taskDefinition.trustedExecutionConfiguration.isolationMode",
        Default(|| json!("SHARED")),
    ),
    ("taskDefinition.volumes", Keyed(&["name"], None)),
    (
        "taskDefinition.volumes.*.configuredAtLaunch",
        Default(|| json!(false)),
    ),
    // API_EFSVolumeConfiguration, API_EFSAuthorizationConfig
    (
        "taskDefinition.volumes.*.efsVolumeConfiguration.authorizationConfig.iam",
        Default(|| json!("DISABLED")),
    ),
    (
        "taskDefinition.volumes.*.efsVolumeConfiguration.rootDirectory",
        Default(|| json!("/")),
    ),
    (
        "taskDefinition.volumes.*.efsVolumeConfiguration.transitEncryption",
        Default(|| json!("DISABLED")),
    ),
    // API_S3FilesVolumeConfiguration
    (
        "taskDefinition.volumes.*.s3filesVolumeConfiguration.rootDirectory",
        Default(|| json!("/")),
    ),
];
