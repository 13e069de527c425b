//! The fields of a service. Below a member of it no list is keyed, because UpdateService takes such lists whole.

use serde_json::json;

use super::Rule::{self, Conditional, Default, Keyed, SameAs, Unordered};

pub(super) const RULES: &[(&str, Rule)] = &[
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
    // API_GatewayConnectorDeregistrationDelay
    (
        "service.gatewayConnectors.*.deregistrationDelay.timeoutSeconds",
        Default(|| json!(300)),
    ),
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
    // API_ServiceConnectService
    (
        "service.serviceConnectConfiguration.services.*.discoveryName",
        SameAs("portName"),
    ),
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
];
