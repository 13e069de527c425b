//! Every kind of mistake, with its place, its words and its picture.

use super::*;

/// A manifest with nothing wrong; each case changes one thing.
const RIGHT: &str = "\
apiVersion: evenkeel/v1
kind: Service
metadata:
  name: api
  labels: {team: shop}
spec:
  cluster: prod
  image:
    repository: example.com/api
    tag: \"1\"
  service:
    desiredCount: 2
    launchType: FARGATE
    loadBalancers:
      - targetGroupArn: ${terraform.target_group_arn}
        containerName: api
        containerPort: 80
    deploymentConfiguration:
      deploymentCircuitBreaker: {enable: true, rollback: true}
  taskDefinition:
    networkMode: awsvpc
    cpu: \"256\"
    memory: \"512\"
    containerDefinitions:
      - name: api
        image: ${image}
        portMappings: [{containerPort: 80}]
        essential: true
  targetHealth: {minimumHealthy: 2, gracePeriod: 2m, action: report}
  logGroup: {name: /ecs/api, retentionInDays: 14}
  rollout: {timeout: 15m, keepRevisions: 10}
  drift: {policy: enforce, ignore: [/service/desiredCount]}
  suspend: false
  adopt: false
";

#[test]
fn nothing_is_said_where_nothing_is_wrong() {
    good(RIGHT);
}

/// What is said when `from` is replaced by `to`.
#[track_caller]
fn said(from: &str, to: &str) -> String {
    assert_eq!(RIGHT.matches(from).count(), 1, "{from}");
    lines(&RIGHT.replace(from, to)).join("\n")
}

macro_rules! cases {
    ($($from:literal => $to:literal: $said:literal)*) => {
        $(assert_eq!(said($from, $to), $said, "{} => {}", $from, $to);)*
    };
}

#[test]
fn mistakes_in_the_envelope() {
    cases! {
        "apiVersion: evenkeel/v1\n" => "": "m.yaml:1:1: `apiVersion` is missing"
        "evenkeel/v1" => "evenkeel/v2": "m.yaml:1:13: unknown value `evenkeel/v2` (`apiVersion` is evenkeel/v1); did you mean `evenkeel/v1`?"
        "kind: Service" => "kind: Deployment": "m.yaml:2:7: unknown value `Deployment` (`kind` is Service)"
        "  name: api\n" => "  nmae: api\n": "m.yaml:3:1: `name` is missing (in metadata)\nm.yaml:4:3: unknown field `nmae` (in metadata); did you mean `name`?"
        "metadata:\n  name: api" => "metadata:\n  name: my api": "m.yaml:4:9: `my api` is not a valid `name`; 1 to 255 letters, digits, hyphens and underscores"
        "{team: shop}" => "{aws:team: shop}": "m.yaml:5:12: not a valid label; a label may not begin with `aws:` or `evenkeel:`"
        "{team: shop}" => "[team]": "m.yaml:5:3: expected a mapping, found a list (metadata.labels)"
        "cluster: prod" => "cluster:": "m.yaml:7:3: no value is given (`cluster` expects a string); give it a value or remove the line"
        "cluster: prod" => "cluster: [prod]": "m.yaml:7:3: expected a string, found a list (for `cluster`)"
        "cluster: prod" => "cluster: a/b": "m.yaml:7:12: `a/b` is not a valid `cluster`; a name of 1 to 255 letters, digits, hyphens and underscores, or an ARN like arn:aws:ecs:REGION:ACCOUNT:cluster/NAME"
        "cluster: prod" => "cluster: prod\n  cluster: test": "m.yaml:8:3: duplicate key `cluster` (already given on line 7); keep one of them"
        "example.com/api" => "example.com/api:1": "m.yaml:9:17: `example.com/api:1` is not a valid `repository`; leave the tag or digest out, and give the tag in spec.image.tag"
        "tag: \"1\"" => "tag: \"-1\"": "m.yaml:10:10: `-1` is not a valid `tag`; 1 to 128 letters, digits, underscores, dots and hyphens, not beginning with a dot or a hyphen"
        "minimumHealthy: 2" => "minimumHealthy: 0": "m.yaml:29:34: expected a whole number from 1 to 10000, found `0` (for `minimumHealthy`)"
        "minimumHealthy: 2" => "minimumHealthy: 3": "m.yaml:12:19: 3 healthy targets are wanted of 2 tasks; raise desiredCount or lower spec.targetHealth.minimumHealthy"
        "gracePeriod: 2m" => "gracePeriod: 2": "m.yaml:29:50: expected a duration like 90s, 15m or 2h, found `2` (`gracePeriod` takes from 1s to 30d)"
        "action: report" => "action: reprot": "m.yaml:29:62: unknown value `reprot` (`action` is redeploy or report); did you mean `report`?"
        "retentionInDays: 14" => "retentionInDays: 15": "m.yaml:30:47: CloudWatch cannot keep logs for 15 days; one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653; leave it out to keep them for ever"
        "name: /ecs/api," => "name: aws/api,": "m.yaml:30:20: `aws/api` is not a valid `name`; AWS keeps names beginning with `aws/` for itself"
        "keepRevisions: 10" => "keepRevisions: ten": "m.yaml:31:42: expected a whole number from 1 to 1000, found `ten` (for `keepRevisions`)"
        "policy: enforce" => "policy: enforced": "m.yaml:32:19: unknown value `enforced` (`policy` is enforce or report); did you mean `enforce`?"
        "/service/desiredCount" => "/service/desiredCounts": "m.yaml:32:37: `/service/desiredCounts` is not a valid `ignore`; did you mean `/service/desiredCount`?"
        "/service/desiredCount" => "desiredCount": "m.yaml:32:37: `desiredCount` is not a valid `ignore`; a JSON pointer beginning with /service, /taskDefinition or /logGroup, as `plan` prints it"
        "suspend: false" => "suspend: no": "m.yaml:33:12: `no` says neither yes nor why; write true, false, or the reason as text"
        "adopt: false" => "adopt: maybe": "m.yaml:34:10: expected true or false, found `maybe` (for `adopt`)"
        "adopt: false" => "adpot: true": "m.yaml:34:3: unknown field `adpot` (in spec); did you mean `adopt`?"
    }
}

#[test]
fn mistakes_in_ecs_s_blocks() {
    cases! {
        "launchType: FARGATE" => "lauchType: FARGATE": "m.yaml:13:5: unknown field `lauchType` (in spec.service); did you mean `launchType`?"
        "launchType: FARGATE" => "launchType: Fargate": "m.yaml:13:17: unknown value `Fargate` for spec.service.launchType (expected EC2, EXTERNAL, FARGATE, MANAGED_INSTANCES); did you mean `FARGATE`?"
        "desiredCount: 2" => "desiredCount: two": "m.yaml:12:19: expected a whole number, found `two` (spec.service.desiredCount); write a whole number in decimal digits"
        "desiredCount: 2" => "desiredCount: -1": "m.yaml:12:19: `desiredCount` may not be negative; write 0 to stop every task"
        "desiredCount: 2" => "desiredCount: 3000000000": "m.yaml:12:19: expected a whole number, found `3000000000` (spec.service.desiredCount); write a whole number in decimal digits"
        "desiredCount: 2" => "desiredCount: 02": "m.yaml:12:19: expected a whole number, found `02` (spec.service.desiredCount); write a whole number in decimal digits"
        "enable: true" => "enable: yes": "m.yaml:19:42: expected true or false, found `yes` (spec.service.deploymentConfiguration.deploymentCircuitBreaker.enable); write true or false"
        ", rollback: true" => "": "m.yaml:19:7: `rollback` is missing (in spec.service.deploymentConfiguration.deploymentCircuitBreaker)"
        "    desiredCount: 2\n" => "    desiredCount: 2\n    cluster: prod\n": "m.yaml:13:5: `cluster` may not be given here (in spec.service); put it in spec.cluster"
        "    desiredCount: 2\n" => "    desiredCount: 2\n    tags: []\n": "m.yaml:13:5: `tags` may not be given here (in spec.service); put them in metadata.labels"
        "    desiredCount: 2\n" => "    desiredCount: 2\n    role: x\n": "m.yaml:13:5: `role` may not be given here (in spec.service); remove it: ECS uses its service-linked role, AWSServiceRoleForECS"
        "    desiredCount: 2\n" => "    desiredCount: 2\n    monitoring: {}\n": "m.yaml:13:5: `monitoring` may not be given here (in spec.service); remove it: DescribeServices does not show it, so nobody could tell whether it is so"
        "    desiredCount: 2\n" => "    desiredCount: 2\n    runningCount: 2\n": "m.yaml:13:5: `runningCount` is filled in by AWS (in spec.service); remove it"
        "    desiredCount: 2\n" => "    desiredCount: 2\n    propagateTags: TASK_DEFINITION\n": ""
        "    desiredCount: 2\n" => "    desiredCount: 2\n    deploymentController: {type: CODE_DEPLOY}\n": "m.yaml:13:34: only ECS is supported (spec.service.deploymentController.type); Evenkeel rolls out by ECS's own rolling deployments"
        "[{containerPort: 80}]" => "80": "m.yaml:27:23: expected a list, found a number (spec.taskDefinition.containerDefinitions[api].portMappings); write it as a list: `- …` on a line of its own, or `[…]`"
        "essential: true" => "essential:": "m.yaml:28:9: no value is given (spec.taskDefinition.containerDefinitions[api].essential expects true or false); give it a value or remove the line"
        "essential: true" => "user: {}": "m.yaml:28:9: expected a string, found a mapping (spec.taskDefinition.containerDefinitions[api].user)"
        "    networkMode: awsvpc\n" => "    tags: []\n    networkMode: awsvpc\n": "m.yaml:21:5: `tags` may not be given here (in spec.taskDefinition); put them in metadata.labels"
        "    networkMode: awsvpc\n" => "    family: a b\n    networkMode: awsvpc\n": "m.yaml:21:13: not a valid `family`; 1 to 255 letters, digits, hyphens and underscores"
    }
}

#[test]
fn mistakes_between_fields() {
    cases! {
        "networkMode: awsvpc" => "networkMode: bridge": "m.yaml:21:18: Fargate needs networkMode awsvpc; write `networkMode: awsvpc`"
        "    cpu: \"256\"\n" => "": "m.yaml:20:3: Fargate needs `cpu` for the task (in spec.taskDefinition)"
        "cpu: \"256\"" => "cpu: 300": "m.yaml:22:10: Fargate has no such cpu; one of 256, 512, 1024, 2048, 4096, 8192, 16384, 32768"
        "cpu: \"256\"" => "cpu: .5 vCPU": "m.yaml:23:13: Fargate has no such memory with cpu .5 vCPU; 1024 to 4096 in steps of 1024, in MiB"
        "memory: \"512\"" => "memory: 4GB": "m.yaml:23:13: Fargate has no such memory with cpu 256; one of 512, 1024, 2048, in MiB"
        "memory: \"512\"" => "memory: 1 GB": ""
        "containerName: api" => "containerName: apo": "m.yaml:16:24: no such container in spec.taskDefinition; did you mean `api`?"
        "        containerPort: 80\n" => "        containerPort: 8080\n": "m.yaml:17:24: the container does not map port 8080; it maps 80"
        "image: ${image}" => "image: nginx": "m.yaml:24:5: spec.image is given and not used; write `image: ${image}` in a container, or remove spec.image"
        "  image:\n    repository: example.com/api\n    tag: \"1\"\n" => "": "m.yaml:23:16: `${image}` is used and there is no spec.image; add spec.image with a repository and a tag"
        "    loadBalancers:\n      - targetGroupArn: ${terraform.target_group_arn}\n        containerName: api\n        containerPort: 80\n" => "": "m.yaml:11:3: spec.targetHealth is given, and the service has no target group; add one to spec.service.loadBalancers, or remove spec.targetHealth"
    }
}

#[test]
fn mistakes_in_references() {
    cases! {
        "${terraform.target_group_arn}" => "${terraform.target_group}": "m.yaml:15:25: unknown reference `${terraform.target_group}` (no such Terraform output); did you mean `${terraform.target_group_arn}`?"
        "cluster: prod" => "cluster: a-${env.STAGE}-${env.STAGF}": "m.yaml:7:27: unknown reference `${env.STAGF}` (no such environment variable); did you mean `${env.STAGE}`?"
        "cluster: prod" => "cluster: ${HOME}": "m.yaml:7:12: unknown reference `${HOME}` (there are ${terraform.NAME}, ${values.NAME}, ${env.NAME}, ${image} and ${image.tag}); write `$${` for a literal `${`"
        "cluster: prod" => "cluster: ${env.STAGE": "m.yaml:7:12: a reference is not closed: `${` without `}`; write `$${` for a literal `${`"
        "cluster: prod" => "cluster: x${terraform.private_subnet_ids}": "m.yaml:7:13: `${terraform.private_subnet_ids}` is not one value that text can contain; let the reference be the whole value"
        "tag: \"1\"" => "tag: ${image.tag}": "m.yaml:10:10: spec.image cannot refer to itself; write the repository and the tag out"
    }
}

#[test]
fn mistakes_of_syntax_end_the_file() {
    cases! {
        "cluster: prod" => "cluster: prod: x": "m.yaml:7:16: not YAML: mapping values are not allowed in this context"
        "[/service/desiredCount]" => "[/service/desiredCount": "m.yaml:32:36: not YAML: mismatched bracket '[' closed by '}'"
    }
}

#[test]
fn a_picture_shows_the_line_and_what_to_do() {
    let text = RIGHT.replace("deploymentCircuitBreaker", "deploymentCircuitBraker");
    assert_eq!(
        drawn(&text),
        "\
error: unknown field `deploymentCircuitBraker`
  --> m.yaml:19:7
   |
19 |       deploymentCircuitBraker: {enable: true, rollback: true}
   |       ^^^^^^^^^^^^^^^^^^^^^^^ in spec.service.deploymentConfiguration
   |
   = help: did you mean `deploymentCircuitBreaker`?
"
    );
}

#[test]
fn a_picture_of_a_whole_file_has_no_line() {
    let diagnostic = Diagnostic::of_file("m.yaml", "is not a file");
    assert_eq!(
        picture(&diagnostic, None, false),
        "error: is not a file\n--> m.yaml"
    );
}

#[test]
fn a_line_too_long_to_look_at_is_left_out() {
    let text = format!("x: [{}]\n", "a, ".repeat(1_000));
    let all = drawn(&text);
    assert!(
        all.contains("error: unknown field `x`\n--> m.yaml:1:1\n"),
        "{all}"
    );
    assert!(all.len() < 1_000);
}

#[test]
fn colours_are_asked_for() {
    let (_, diagnostics) = parse("x: 1\n");
    assert!(!picture(&diagnostics[0], Some("x: 1\n"), false).contains('\u{1b}'));
    assert!(picture(&diagnostics[0], Some("x: 1\n"), true).contains('\u{1b}'));
}
