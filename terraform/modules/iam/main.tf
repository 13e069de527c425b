# Two roles per component. The execution role is ECS's agent's, before and beside the containers; the task role is the
# containers' own. Which actions can be limited to which resources:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html

locals {
  ecs_arn  = "arn:${var.partition}:ecs:${var.region}:${var.account_id}"
  logs_arn = "arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group"

  api_log_group_arn        = "${local.logs_arn}:${var.api_log_group}"
  reconciler_log_group_arn = "${local.logs_arn}:${var.reconciler_log_group}"

  # ECS assumes a role for its tasks only on behalf of this account: otherwise another's could have it do so.
  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = "${local.ecs_arn}:*" }
      }
    }]
  })
}
