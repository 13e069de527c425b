//! The table: what AWS fills in, what has no order, what is told apart by a key, what is left alone.
//!
//! The defaults are those of the ECS API reference, of the pages API_CreateService, API_RegisterTaskDefinition and those
//! of their members: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Types.html>. A list that is not
//! here keeps its order: environment files, for one, are read from the top down (API_EnvironmentFile). Below a member of
//! the service no list is keyed, because UpdateService takes such lists whole.

use serde_json::{Value, json};

/// What is special about a field.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// AWS fills this in when it is omitted.
    Default(fn() -> Value),
    /// The default depends on the account, the platform or the day: left alone when the manifest does not mention it.
    Conditional,
    /// A list whose order means nothing.
    Unordered,
    /// A list whose items are told apart by these members, and of which only the last is the value, if named.
    Keyed(&'static [&'static str], Option<&'static str>),
    /// `1024`, `"1024"` and `"1 vCPU"` are the same.
    CpuUnits,
    /// `2048`, `"2048"` and `"2 GB"` are the same.
    Mebibytes,
}

use self::Rule::{Conditional, CpuUnits, Default, Keyed, Mebibytes, Unordered};

/// The rules of this version. Paths are written as ECS nests them; `*` is any item of a list.
pub const RULES: &[(&str, Rule)] = &[
    ("service.availabilityZoneRebalancing", Conditional),
    ("service.capacityProviderStrategy", Conditional),
    ("service.capacityProviderStrategy", Unordered),
    (
        "service.capacityProviderStrategy.*.base",
        Default(|| json!(0)),
    ),
    (
        "service.capacityProviderStrategy.*.weight",
        Default(|| json!(0)),
    ),
    (
        "service.deploymentConfiguration.alarms.alarmNames",
        Unordered,
    ),
    (
        "service.deploymentConfiguration.alarms.enable",
        Default(|| json!(false)),
    ),
    (
        "service.deploymentConfiguration.alarms.rollback",
        Default(|| json!(false)),
    ),
    (
        "service.deploymentConfiguration.bakeTimeInMinutes",
        Default(|| json!(0)),
    ),
    (
        "service.deploymentConfiguration.deploymentCircuitBreaker.enable",
        Default(|| json!(false)),
    ),
    (
        "service.deploymentConfiguration.deploymentCircuitBreaker.resetOnHealthyTask",
        Default(|| json!(true)),
    ),
    (
        "service.deploymentConfiguration.deploymentCircuitBreaker.rollback",
        Default(|| json!(false)),
    ),
    (
        "service.deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.type",
        Default(|| json!("BOUNDED_PERCENT")),
    ),
    (
        "service.deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.value",
        Default(|| json!(50)),
    ),
    // API_DeploymentEarlySuccessCriteria
    (
        "service.deploymentConfiguration.earlySuccessCriteria.enable",
        Default(|| json!(false)),
    ),
    // API_DeploymentLifecycleHook, API_DeploymentLifecycleHookTimeoutConfiguration
    (
        "service.deploymentConfiguration.lifecycleHooks.*.lifecycleStages",
        Unordered,
    ),
    (
        "service.deploymentConfiguration.lifecycleHooks.*.targetType",
        Default(|| json!("AWS_LAMBDA")),
    ),
    (
        "service.deploymentConfiguration.lifecycleHooks.*.timeoutConfiguration.action",
        Default(|| json!("ROLLBACK")),
    ),
    (
        "service.deploymentConfiguration.lifecycleHooks.*.timeoutConfiguration.timeoutInMinutes",
        Default(|| json!(1440)),
    ),
    (
        "service.deploymentConfiguration.maximumPercent",
        Default(|| json!(200)),
    ),
    (
        "service.deploymentConfiguration.minimumHealthyPercent",
        Default(|| json!(100)),
    ),
    (
        "service.deploymentConfiguration.strategy",
        Default(|| json!("ROLLING")),
    ),
    (
        "service.deploymentController.type",
        Default(|| json!("ECS")),
    ),
    ("service.enableECSManagedTags", Default(|| json!(false))),
    ("service.enableExecuteCommand", Default(|| json!(false))),
    (
        "service.healthCheckGracePeriodSeconds",
        Default(|| json!(0)),
    ),
    ("service.launchType", Conditional),
    ("service.loadBalancers", Unordered),
    (
        "service.networkConfiguration.awsvpcConfiguration.assignPublicIp",
        Default(|| json!("DISABLED")),
    ),
    (
        "service.networkConfiguration.awsvpcConfiguration.securityGroups",
        Unordered,
    ),
    (
        "service.networkConfiguration.awsvpcConfiguration.subnets",
        Unordered,
    ),
    ("service.placementConstraints", Unordered),
    ("service.platformVersion", Conditional),
    ("service.propagateTags", Default(|| json!("NONE"))),
    ("service.schedulingStrategy", Default(|| json!("REPLICA"))),
    // API_ServiceConnectAccessLogConfiguration
    (
        "service.serviceConnectConfiguration.accessLogConfiguration.includeQueryParameters",
        Default(|| json!("DISABLED")),
    ),
    (
        "service.serviceConnectConfiguration.containerConfigurations.*.logLevel",
        Default(|| json!("info")),
    ),
    (
        "service.serviceConnectConfiguration.enabled",
        Default(|| json!(false)),
    ),
    (
        "service.serviceConnectConfiguration.logConfiguration.options.max-buffer-size",
        Conditional,
    ),
    (
        "service.serviceConnectConfiguration.logConfiguration.options.mode",
        Conditional,
    ),
    (
        "service.serviceConnectConfiguration.logConfiguration.secretOptions",
        Unordered,
    ),
    ("service.serviceConnectConfiguration.services", Unordered),
    ("service.serviceRegistries", Unordered),
    ("service.volumeConfigurations", Keyed(&["name"], None)),
    // API_ServiceManagedEBSVolumeConfiguration
    (
        "service.volumeConfigurations.*.managedEBSVolume.filesystemType",
        Default(|| json!("xfs")),
    ),
    (
        "service.volumeConfigurations.*.managedEBSVolume.tagSpecifications.*.tags",
        Unordered,
    ),
    ("service.vpcLatticeConfigurations", Unordered),
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
