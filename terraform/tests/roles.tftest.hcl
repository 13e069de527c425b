# What each role may do, read from the very JSON that is sent.

mock_provider "aws" {
  source = "./tests/mocks"

  override_resource {
    target = aws_iam_role.api_execution
    values = { arn = "arn:aws:iam::123456789012:role/evenkeel-dev-api-execution" }
  }

  override_resource {
    target = aws_iam_role.api_task
    values = { arn = "arn:aws:iam::123456789012:role/evenkeel-dev-api-task" }
  }
}

variables {
  name         = "evenkeel-dev"
  partition    = "aws"
  region       = "us-east-1"
  account_id   = "123456789012"
  cluster_name = "evenkeel-dev"

  api_repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/evenkeel-dev/api"
  api_log_group      = "/ecs/api"
  api_secret_arns = [
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:evenkeel-dev/database-url-4Xk9Qz",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-0f1e2d3c-a1B2c3",
  ]
  reconciler_repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/evenkeel-dev/evenkeel"
  reconciler_log_group      = "/ecs/evenkeel-dev/evenkeel"
  bucket                    = "evenkeel-dev-123456789012-us-east-1"
  manifests_prefix          = "manifests"
  lease_key                 = "lease"
}

run "trust" {
  module {
    source = "./modules/iam"
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.api_execution, aws_iam_role.api_task, aws_iam_role.reconciler_execution, aws_iam_role.reconciler_task] :
      jsondecode(role.assume_role_policy).Statement == jsondecode(jsonencode([{
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:us-east-1:123456789012:*" }
        }
      }]))
    ])
    error_message = "Only ECS's tasks of this account take the roles."
  }
}

run "no_wildcards" {
  module {
    source = "./modules/iam"
  }

  assert {
    condition = alltrue(flatten([
      for policy in [aws_iam_role_policy.api_execution.policy, aws_iam_role_policy.reconciler_execution.policy, aws_iam_role_policy.reconciler_task.policy, aws_iam_policy.reconciler_stop_deployment.policy] : [
        for statement in jsondecode(policy).Statement : [
          for action in statement.Action : !strcontains(action, "*")
        ]
      ]
    ]))
    error_message = "No action is a pattern."
  }

  # AWS can limit none of these to a resource; the two lists are limited by a condition.
  assert {
    condition = toset(flatten([
      for policy in [aws_iam_role_policy.api_execution.policy, aws_iam_role_policy.reconciler_execution.policy, aws_iam_role_policy.reconciler_task.policy, aws_iam_policy.reconciler_stop_deployment.policy] : [
        for statement in jsondecode(policy).Statement : statement.Action if contains(statement.Resource, "*")
      ]
      ])) == toset([
      "ecr:GetAuthorizationToken",
      "ecs:DeregisterTaskDefinition",
      "ecs:DescribeTaskDefinition",
      "ecs:ListServices",
      "ecs:ListTaskDefinitions",
      "ecs:ListTasks",
      "ecs:RegisterTaskDefinition",
      "elasticloadbalancing:DescribeTargetHealth",
      "logs:DescribeLogGroups",
    ])
    error_message = "Only these actions are for every resource."
  }
}

run "api" {
  module {
    source = "./modules/iam"
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.api_execution.policy).Statement : statement.Sid => statement.Resource } == {
      LogInToRegistry = ["*"]
      PullImage       = ["arn:aws:ecr:us-east-1:123456789012:repository/evenkeel-dev/api"]
      WriteLogs       = ["arn:aws:logs:us-east-1:123456789012:log-group:/ecs/api:log-stream:*"]
      ReadSecrets     = [for arn in var.api_secret_arns : arn]
    }
    error_message = "The API's execution role has its own image, log group and secrets."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.reconciler_execution.policy).Statement : statement.Sid => statement.Resource } == {
      LogInToRegistry = ["*"]
      PullImage       = ["arn:aws:ecr:us-east-1:123456789012:repository/evenkeel-dev/evenkeel"]
      WriteLogs       = ["arn:aws:logs:us-east-1:123456789012:log-group:/ecs/evenkeel-dev/evenkeel:log-stream:*"]
    }
    error_message = "The daemon's execution role has its own image and log group, and no secret."
  }
}

run "daemon" {
  module {
    source = "./modules/iam"
  }

  assert {
    condition = toset(flatten([
      for policy in [aws_iam_role_policy.reconciler_task.policy, aws_iam_policy.reconciler_stop_deployment.policy] :
      [for statement in jsondecode(policy).Statement : statement.Action]
      ])) == toset([
      "ecr:DescribeImages",
      "ecs:CreateService",
      "ecs:DeregisterTaskDefinition",
      "ecs:DescribeClusters",
      "ecs:DescribeServiceDeployments",
      "ecs:DescribeServiceRevisions",
      "ecs:DescribeServices",
      "ecs:DescribeTaskDefinition",
      "ecs:DescribeTasks",
      "ecs:ListServiceDeployments",
      "ecs:ListServices",
      "ecs:ListTaskDefinitions",
      "ecs:ListTasks",
      "ecs:RegisterTaskDefinition",
      "ecs:StopServiceDeployment",
      "ecs:TagResource",
      "ecs:UntagResource",
      "ecs:UpdateService",
      "elasticloadbalancing:DescribeTargetHealth",
      "iam:PassRole",
      "logs:CreateLogGroup",
      "logs:DeleteRetentionPolicy",
      "logs:DescribeLogGroups",
      "logs:GetLogEvents",
      "logs:ListTagsForResource",
      "logs:PutRetentionPolicy",
      "logs:TagResource",
      "s3:GetObject",
      "s3:ListBucket",
      "s3:PutObject",
    ])
    error_message = "What the daemon may do is the table in SECURITY.md."
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.reconciler_task.policy).Statement : statement if contains(statement.Action, "iam:PassRole")] == jsondecode(jsonencode([{
      Sid       = "PassRoles"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = ["arn:aws:iam::123456789012:role/evenkeel-dev-api-execution", "arn:aws:iam::123456789012:role/evenkeel-dev-api-task"]
      Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
    }]))
    error_message = "The daemon passes exactly the API's two roles, to exactly ECS's tasks."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.reconciler_task.policy).Statement : statement.Condition.ArnEquals if statement.Sid == "Lists"]) == { "ecs:cluster" = "arn:aws:ecs:us-east-1:123456789012:cluster/evenkeel-dev" }
    error_message = "The daemon lists what is in its cluster."
  }

  assert {
    condition = alltrue([
      for resource in flatten([for statement in jsondecode(aws_iam_role_policy.reconciler_task.policy).Statement : statement.Resource if contains(statement.Action, "s3:PutObject")]) :
      resource == "arn:aws:s3:::evenkeel-dev-123456789012-us-east-1/lease"
    ])
    error_message = "The daemon writes the lease and no manifest."
  }

  assert {
    condition     = aws_iam_role_policy_attachment.reconciler_stop_deployment.role == aws_iam_role.reconciler_task.name
    error_message = "Stopping a deployment is the daemon's."
  }
}
