resource "aws_iam_role" "reconciler_execution" {
  name               = "${var.name}-evenkeel-execution"
  description        = "Starts the daemon's task: pulls the image, writes the logs"
  assume_role_policy = local.trust
}

resource "aws_iam_role_policy" "reconciler_execution" {
  name = "start"
  role = aws_iam_role.reconciler_execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "LogInToRegistry"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"]
      },
      {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [var.reconciler_repository_arn]
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${local.reconciler_log_group_arn}:log-stream:*"]
      },
    ]
  })
}

resource "aws_iam_role" "reconciler_task" {
  name               = "${var.name}-evenkeel-task"
  description        = "The daemon: observes and repairs the services of one cluster"
  assume_role_policy = local.trust
}

# The whole of what the daemon may do is the table in SECURITY.md; what belongs to the bucket is its manifests and lease.
# It can delete nothing but a log group's retention and a tag.
resource "aws_iam_role_policy" "reconciler_task" {
  name = "reconcile"
  role = aws_iam_role.reconciler_task.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Cluster"
        Effect   = "Allow"
        Action   = ["ecs:DescribeClusters"]
        Resource = ["${local.ecs_arn}:cluster/${var.cluster_name}"]
      },
      {
        # AWS cannot limit these to a family.
        Sid    = "TaskDefinitions"
        Effect = "Allow"
        Action = [
          "ecs:DeregisterTaskDefinition",
          "ecs:DescribeTaskDefinition",
          "ecs:ListTaskDefinitions",
          "ecs:RegisterTaskDefinition",
        ]
        Resource = ["*"]
      },
      {
        Sid    = "Services"
        Effect = "Allow"
        Action = [
          "ecs:CreateService",
          "ecs:DescribeServices",
          "ecs:ListServiceDeployments",
          "ecs:UpdateService",
        ]
        Resource = [local.services_arn]
      },
      {
        Sid    = "Deployments"
        Effect = "Allow"
        Action = ["ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions"]
        Resource = [
          local.services_arn,
          local.deployments_arn,
          "${local.ecs_arn}:service-revision/${var.cluster_name}/*",
        ]
      },
      {
        # Lists have no resource; the cluster is a condition of theirs.
        Sid       = "Lists"
        Effect    = "Allow"
        Action    = ["ecs:ListServices", "ecs:ListTasks"]
        Resource  = ["*"]
        Condition = { ArnEquals = { "ecs:cluster" = "${local.ecs_arn}:cluster/${var.cluster_name}" } }
      },
      {
        Sid      = "Tasks"
        Effect   = "Allow"
        Action   = ["ecs:DescribeTasks"]
        Resource = ["${local.ecs_arn}:task/${var.cluster_name}/*"]
      },
      {
        # A definition that is being registered has no revision yet, and so no `:` in its ARN.
        Sid      = "Tag"
        Effect   = "Allow"
        Action   = ["ecs:TagResource"]
        Resource = [local.services_arn, "${local.ecs_arn}:task-definition/${var.cluster_name}-*"]
      },
      {
        Sid      = "Untag"
        Effect   = "Allow"
        Action   = ["ecs:UntagResource"]
        Resource = [local.services_arn]
      },
      {
        # Without the condition the daemon could hand the roles to any service of AWS's.
        Sid       = "PassRoles"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [aws_iam_role.api_execution.arn, aws_iam_role.api_task.arn]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        # No Describe of load balancing or of log groups can be limited.
        Sid      = "Describe"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:DescribeTargetHealth", "logs:DescribeLogGroups"]
        Resource = ["*"]
      },
      {
        Sid      = "Images"
        Effect   = "Allow"
        Action   = ["ecr:DescribeImages"]
        Resource = [var.api_repository_arn]
      },
      {
        Sid    = "LogGroups"
        Effect = "Allow"
        Action = [
          "logs:CreateLogGroup",
          "logs:DeleteRetentionPolicy",
          "logs:PutRetentionPolicy",
        ]
        Resource = ["${local.api_log_group_arn}:*"]
      },
      {
        # The ARN without `:*`. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogGroup.html
        Sid      = "LogGroupTags"
        Effect   = "Allow"
        Action   = ["logs:ListTagsForResource", "logs:TagResource"]
        Resource = [local.api_log_group_arn]
      },
      {
        Sid      = "LogEvents"
        Effect   = "Allow"
        Action   = ["logs:GetLogEvents"]
        Resource = ["${local.api_log_group_arn}:log-stream:*"]
      },
      {
        # The whole bucket, which holds nothing else: with less, S3 calls a lease that is not there forbidden, and not missing.
        Sid      = "ListBucket"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.bucket_arn]
      },
      {
        Sid      = "ReadManifests"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.bucket_arn}/${var.manifests_prefix}/*"]
      },
      {
        Sid      = "Lease"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${local.bucket_arn}/${var.lease_key}"]
      },
    ]
  })
}

# A policy of its own: checkers whose tables of actions are older than this one (2025) call all of a policy wrong that
# names it.
resource "aws_iam_policy" "reconciler_stop_deployment" {
  name        = "${var.name}-evenkeel-stop-deployment"
  description = "Takes back a rollout that is without progress"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "StopDeployment"
      Effect   = "Allow"
      Action   = ["ecs:StopServiceDeployment"]
      Resource = [local.services_arn, local.deployments_arn]
    }]
  })
}

resource "aws_iam_role_policy_attachment" "reconciler_stop_deployment" {
  role       = aws_iam_role.reconciler_task.name
  policy_arn = aws_iam_policy.reconciler_stop_deployment.arn
}

locals {
  services_arn    = "${local.ecs_arn}:service/${var.cluster_name}/*"
  deployments_arn = "${local.ecs_arn}:service-deployment/${var.cluster_name}/*"
  bucket_arn      = "arn:${var.partition}:s3:::${var.bucket}"
}
