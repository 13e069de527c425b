# The whole root: what it hands out, and what it refuses.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment          = "dev"
  region               = "us-east-1"
  availability_zones   = ["us-east-1a", "us-east-1b"]
  protect              = false
  reconciler_image_tag = "0.1.0"
}

run "outputs" {
  assert {
    condition     = output.cluster_name == "evenkeel-dev" && output.region == "us-east-1" && output.account_id == "123456789012" && length(output.private_subnet_ids) == 2
    error_message = "The outputs are those of the stack."
  }

  assert {
    condition     = output.database_password_secret_arn == "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-0f1e2d3c-a1B2c3:password::"
    error_message = "ECS is told to take the member `password` of RDS's secret."
  }

  assert {
    condition     = output.api_url == "http://evenkeel-dev-1234567890.us-east-1.elb.amazonaws.com" && output.manifests_url == "s3://evenkeel-dev-123456789012-us-east-1/manifests" && output.lease_url == "s3://evenkeel-dev-123456789012-us-east-1/lease"
    error_message = "People are told where things are."
  }
}

run "an_unsafe_prod_is_warned_of" {
  command = plan

  variables {
    environment = "prod"
  }

  expect_failures = [check.production_is_protected, check.production_survives_a_zone, check.traffic_is_encrypted]
}

run "a_safe_prod_is_not" {
  command = plan

  variables {
    environment       = "prod"
    protect           = true
    nat               = "per_az"
    database_multi_az = true
    cache_nodes       = 2
    certificate_arn   = "arn:aws:acm:us-east-1:123456789012:certificate/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
  }
}

run "zones_of_another_region" {
  command = plan

  variables {
    availability_zones = ["us-east-1a", "eu-west-1a"]
  }

  expect_failures = [var.availability_zones]
}

run "one_zone_twice" {
  command = plan

  variables {
    availability_zones = ["us-east-1a", "us-east-1a"]
  }

  expect_failures = [var.availability_zones]
}

run "names_and_networks_out_of_bounds" {
  command = plan

  variables {
    name                 = "a-name-too-long"
    environment          = "Production"
    account_id           = "1234"
    vpc_cidr             = "10.0.0.1/16"
    nat                  = "none"
    allowed_cidr_blocks  = ["203.0.113.0"]
    certificate_arn      = "arn:aws:acm:eu-west-1:123456789012:certificate/0f1e2d3c"
    log_retention_days   = 15
    api_log_group        = "/ecs/*"
    container_insights   = "on"
    reconciler_image_tag = "a tag"
  }

  expect_failures = [
    var.name, var.environment, var.account_id, var.vpc_cidr, var.nat, var.allowed_cidr_blocks, var.certificate_arn,
    var.log_retention_days, var.api_log_group, var.container_insights, var.reconciler_image_tag,
  ]
}

run "sizes_out_of_bounds" {
  command = plan

  variables {
    vpc_cidr                    = "10.0.0.0/24"
    database_instance_class     = "t3.micro"
    database_backup_days        = 36
    database_password_days      = 0
    cache_node_type             = "t3.micro"
    cache_nodes                 = 3
    reconciler_cpu_architecture = "amd64"
    reconciler_count            = 3
  }

  expect_failures = [
    var.vpc_cidr, var.database_instance_class, var.database_backup_days, var.database_password_days,
    var.cache_node_type, var.cache_nodes, var.reconciler_cpu_architecture, var.reconciler_count,
  ]
}
