resource "aws_iam_role" "api_execution" {
  name               = "${var.name}-api-execution"
  description        = "Starts the API's tasks: pulls the image, reads the secrets, writes the logs"
  assume_role_policy = local.trust
}

resource "aws_iam_role_policy" "api_execution" {
  name = "start"
  role = aws_iam_role.api_execution.id

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
        Resource = [var.api_repository_arn]
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${local.api_log_group_arn}:log-stream:*"]
      },
      {
        Sid      = "ReadSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = var.api_secret_arns
      },
    ]
  })
}

# The API asks nothing of AWS: a role without a policy, so that its processes do not run with whatever else is at hand.
resource "aws_iam_role" "api_task" {
  name               = "${var.name}-api-task"
  description        = "The API's own processes: may do nothing"
  assume_role_policy = local.trust
}
