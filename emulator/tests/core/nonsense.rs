//! Inputs that make no sense: refused in the right form, and nothing else happens.

use std::time::Duration;

use emulator::core::{Service, is_write};
use serde_json::json;

use crate::world::World;

/// Every operation with the members it knows, each filled with nonsense.
#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let operations: &[(Service, &[&str], &[&str])] = &[
        (
            Service::Ecs,
            &[
                "CreateCluster",
                "DescribeClusters",
                "ListClusters",
                "DeleteCluster",
                "RegisterTaskDefinition",
                "DescribeTaskDefinition",
                "ListTaskDefinitions",
                "ListTaskDefinitionFamilies",
                "DeregisterTaskDefinition",
                "DeleteTaskDefinitions",
                "CreateService",
                "UpdateService",
                "DeleteService",
                "DescribeServices",
                "ListServices",
                "ListTasks",
                "DescribeTasks",
                "RunTask",
                "StopTask",
                "TagResource",
                "UntagResource",
                "ListTagsForResource",
                "ListServiceDeployments",
                "DescribeServiceDeployments",
                "DescribeServiceRevisions",
                "StopServiceDeployment",
            ],
            &[
                "clusterName",
                "clusters",
                "family",
                "containerDefinitions",
                "taskDefinition",
                "taskDefinitions",
                "count",
                "overrides",
                "clientToken",
                "serviceDeploymentArn",
                "service",
                "services",
                "desiredCount",
                "networkConfiguration",
                "loadBalancers",
                "deploymentConfiguration",
                "tasks",
                "task",
                "resourceArn",
                "tags",
                "tagKeys",
                "serviceDeploymentArns",
                "serviceRevisionArns",
                "nextToken",
            ],
        ),
        (
            Service::Elbv2,
            &[
                "CreateLoadBalancer",
                "DescribeLoadBalancers",
                "CreateTargetGroup",
                "DescribeTargetGroups",
                "ModifyTargetGroup",
                "ModifyTargetGroupAttributes",
                "DescribeTargetGroupAttributes",
                "CreateListener",
                "DescribeListeners",
                "DescribeTargetHealth",
                "RegisterTargets",
                "DeregisterTargets",
            ],
            &[
                "Name",
                "Subnets",
                "TargetGroupArn",
                "Attributes",
                "Port",
                "DefaultActions",
                "Targets",
                "Matcher",
                "Marker",
            ],
        ),
        (
            Service::Logs,
            &[
                "CreateLogGroup",
                "DeleteLogGroup",
                "CreateLogStream",
                "DeleteLogStream",
                "PutLogEvents",
                "UntagResource",
                "DescribeLogGroups",
                "PutRetentionPolicy",
                "DeleteRetentionPolicy",
                "TagResource",
                "ListTagsForResource",
                "DescribeLogStreams",
                "GetLogEvents",
                "FilterLogEvents",
            ],
            &[
                "logGroupName",
                "logStreamName",
                "logEvents",
                "tagKeys",
                "retentionInDays",
                "resourceArn",
                "tags",
                "nextToken",
                "limit",
                "filterPattern",
            ],
        ),
        (
            Service::Ecr,
            &[
                "CreateRepository",
                "DescribeRepositories",
                "DeleteRepository",
                "PutImageTagMutability",
                "TagResource",
                "UntagResource",
                "ListTagsForResource",
                "BatchCheckLayerAvailability",
                "InitiateLayerUpload",
                "UploadLayerPart",
                "CompleteLayerUpload",
                "BatchDeleteImage",
                "PutImage",
                "DescribeImages",
                "BatchGetImage",
                "ListImages",
            ],
            &[
                "repositoryName",
                "imageManifest",
                "imageTagMutability",
                "layerDigests",
                "layerPartBlob",
                "uploadId",
                "resourceArn",
                "tags",
                "imageTag",
                "imageIds",
                "nextToken",
                "maxResults",
            ],
        ),
    ];
    let junk = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("\u{0}é/:@"),
        json!("arn:aws:ecs:eu-central-1:123456789012:"),
        json!([]),
        json!([null]),
        json!([{}]),
        json!([[]]),
        json!({}),
        json!({ "x": 1 }),
        json!(true),
    ];
    let mut world = World::furnished();
    world.deploy("good", 1);
    let before = world.service();
    for (service, names, members) in operations {
        for name in *names {
            for member in *members {
                for value in &junk {
                    let mut input = json!({ "cluster": "main" });
                    input[*member] = value.clone();
                    for input in [input, json!({ (*member): value })] {
                        if let Err(error) = world.call(*service, name, input) {
                            assert!(
                                error.status == 400 && !error.code.is_empty(),
                                "{name}: {error}"
                            );
                        }
                    }
                }
            }
        }
    }
    world.pass(Duration::from_secs(60));
    assert_eq!(world.service(), before);
}

#[test]
fn unknown_operations_and_malformed_inputs_are_errors_of_the_right_kind() {
    let mut world = World::furnished();
    let unknown = |service| match service {
        Service::Ecs | Service::Logs | Service::Ecr => "UnknownOperationException",
        Service::Elbv2 | Service::Sts => "InvalidAction",
        Service::S3 => "NotImplemented",
    };
    for service in [
        Service::Ecs,
        Service::Elbv2,
        Service::Logs,
        Service::Ecr,
        Service::Sts,
        Service::S3,
    ] {
        let error = world.call(service, "MakeCoffee", json!({})).unwrap_err();
        assert_eq!(error.code, unknown(service));
        assert_eq!(error.status, if service == Service::S3 { 501 } else { 400 });
    }
    for input in [
        json!([]),
        json!("x"),
        json!(1),
        json!({ "cluster": 5, "services": "a" }),
    ] {
        assert_eq!(
            world.ecs_error("DescribeServices", input).0,
            "SerializationException"
        );
    }
    assert!(is_write(Service::Ecs, "UpdateService") && !is_write(Service::Ecs, "ListTasks"));
}
