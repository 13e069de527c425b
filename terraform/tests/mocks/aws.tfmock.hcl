# The provider looks at the form of ARNs also where nothing is made, so these must look like ARNs.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_resource "aws_lb" {
  defaults = {
    arn      = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/evenkeel-dev/50dc6c495c0c9188"
    dns_name = "evenkeel-dev-1234567890.us-east-1.elb.amazonaws.com"
  }
}

mock_resource "aws_lb_target_group" {
  defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/api-2026/73e2d6bc24d8a067" }
}

mock_resource "aws_ecs_cluster" {
  defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:cluster/evenkeel-dev" }
}

mock_resource "aws_ecs_task_definition" {
  defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/evenkeel-dev-evenkeel:1" }
}

mock_resource "aws_ecr_repository" {
  defaults = {
    arn            = "arn:aws:ecr:us-east-1:123456789012:repository/evenkeel-dev/image"
    repository_url = "123456789012.dkr.ecr.us-east-1.amazonaws.com/evenkeel-dev/image"
  }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/evenkeel-dev-role" }
}

mock_resource "aws_iam_policy" {
  defaults = { arn = "arn:aws:iam::123456789012:policy/evenkeel-dev-policy" }
}

mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::evenkeel-dev-123456789012-us-east-1" }
}

mock_resource "aws_secretsmanager_secret" {
  defaults = { id = "arn:aws:secretsmanager:us-east-1:123456789012:secret:evenkeel-dev/url-a1B2c3" }
}

mock_resource "aws_secretsmanager_secret_version" {
  defaults = { secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:evenkeel-dev/url-a1B2c3" }
}

mock_resource "aws_db_instance" {
  defaults = {
    address = "evenkeel-dev.abcdefghijkl.us-east-1.rds.amazonaws.com"
    master_user_secret = [{
      kms_key_id    = "arn:aws:kms:us-east-1:123456789012:key/aws/secretsmanager"
      secret_arn    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-0f1e2d3c-a1B2c3"
      secret_status = "active"
    }]
  }
}

mock_resource "aws_elasticache_replication_group" {
  defaults = { primary_endpoint_address = "master.evenkeel-dev.abcdef.use1.cache.amazonaws.com" }
}
