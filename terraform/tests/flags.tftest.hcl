# `protect`, and what the modules do whatever the flags.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name              = "evenkeel-dev"
  subnet_ids        = ["subnet-0a4f1c2e9b7d35a61", "subnet-0d82b6e41f9c07a5e"]
  security_group_id = "sg-0c3a9e5d7f1b28460"
}

run "database_unprotected" {
  module {
    source = "./modules/database"
  }

  variables {
    instance_class = "db.t3.micro"
    multi_az       = false
    backup_days    = 1
    password_days  = 30
    protect        = false
  }

  assert {
    condition     = !aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.final_snapshot_identifier == null && aws_db_instance.this.delete_automated_backups && aws_secretsmanager_secret.url.recovery_window_in_days == 0
    error_message = "Without protection the database goes at once, and can be made again."
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null && !aws_db_instance.this.publicly_accessible
    error_message = "The database is encrypted and private, and its password is RDS's."
  }

  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "Without TLS there is no connection."
  }

  assert {
    condition     = startswith(aws_secretsmanager_secret_version.url.secret_string, "postgres://api@evenkeel-dev.abcdefghijkl.us-east-1.rds.amazonaws.com:") && endswith(aws_secretsmanager_secret_version.url.secret_string, "/api?sslmode=verify-full&sslrootcert=/etc/ssl/rds.pem")
    error_message = "The URL has a user, verified TLS, and no password."
  }

  assert {
    condition     = !aws_secretsmanager_secret_rotation.password.rotate_immediately && aws_secretsmanager_secret_rotation.password.rotation_rules[0].automatically_after_days == 30
    error_message = "The password changes as often as is said."
  }
}

run "database_protected" {
  module {
    source = "./modules/database"
  }

  variables {
    instance_class = "db.t3.micro"
    multi_az       = true
    backup_days    = 14
    password_days  = 30
    protect        = true
  }

  assert {
    condition     = aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.final_snapshot_identifier == "evenkeel-dev-final" && !aws_db_instance.this.delete_automated_backups && aws_db_instance.this.multi_az && aws_secretsmanager_secret.url.recovery_window_in_days == 30
    error_message = "With protection the database does not go, and not without a snapshot."
  }
}

run "one_cache_node" {
  module {
    source = "./modules/cache"
  }

  variables {
    node_type = "cache.t3.micro"
    nodes     = 1
    protect   = false
  }

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 1 && !aws_elasticache_replication_group.this.automatic_failover_enabled && !aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "A single node cannot fail over, and ElastiCache refuses to be told to."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required" && aws_secretsmanager_secret_version.url.secret_string == "rediss://master.evenkeel-dev.abcdef.use1.cache.amazonaws.com:6379/0"
    error_message = "Redis speaks TLS only."
  }
}

run "two_cache_nodes" {
  module {
    source = "./modules/cache"
  }

  variables {
    node_type = "cache.t3.micro"
    nodes     = 2
    protect   = true
  }

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 2 && aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "The second node takes over."
  }
}

run "registry" {
  module {
    source = "./modules/registry"
  }

  variables {
    images  = ["api", "evenkeel"]
    protect = true
  }

  assert {
    condition     = { for image, repository in aws_ecr_repository.this : image => repository.name } == { api = "evenkeel-dev/api", evenkeel = "evenkeel-dev/evenkeel" }
    error_message = "One repository for each image."
  }

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push && !repository.force_delete])
    error_message = "Tags are immutable, pushes are scanned, and images stay where the stack is protected."
  }

  assert {
    condition     = alltrue(flatten([for policy in aws_ecr_lifecycle_policy.this : [for rule in jsondecode(policy.policy).rules : rule.selection.tagStatus == "untagged"]]))
    error_message = "No image with a tag goes: it may be running."
  }
}

run "reconciler" {
  module {
    source = "./modules/reconciler"
  }

  variables {
    region             = "us-east-1"
    cluster_arn        = "arn:aws:ecs:us-east-1:123456789012:cluster/evenkeel-dev"
    bucket             = "evenkeel-dev-123456789012-us-east-1"
    published          = { cluster_name = "evenkeel-dev", private_subnet_ids = ["subnet-1", "subnet-2"], schema_version = 1 }
    image              = "123456789012.dkr.ecr.us-east-1.amazonaws.com/evenkeel-dev/evenkeel:0.1.0"
    cpu_architecture   = "ARM64"
    desired_count      = 2
    execution_role_arn = "arn:aws:iam::123456789012:role/evenkeel-dev-evenkeel-execution"
    task_role_arn      = "arn:aws:iam::123456789012:role/evenkeel-dev-evenkeel-task"
    log_group          = "/ecs/evenkeel-dev/evenkeel"
    protect            = false
  }

  assert {
    condition = jsondecode(aws_s3_object.outputs.content) == {
      cluster_name       = { sensitive = false, value = "evenkeel-dev" }
      private_subnet_ids = { sensitive = false, value = ["subnet-1", "subnet-2"] }
      schema_version     = { sensitive = false, value = 1 }
    }
    error_message = "terraform.json has the form of `terraform output -json`."
  }

  assert {
    condition     = aws_s3_object.outputs.key == "manifests/terraform.json" && output.manifests_url == "s3://evenkeel-dev-123456789012-us-east-1/manifests"
    error_message = "terraform.json lies beside the manifests."
  }

  assert {
    condition = { for variable in jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment : variable.name => variable.value } == {
      AWS_REGION          = "us-east-1"
      EVENKEEL_HTTP       = "0.0.0.0:9180"
      EVENKEEL_LEASE      = "s3://evenkeel-dev-123456789012-us-east-1/lease"
      EVENKEEL_LOG_FORMAT = "json"
      EVENKEEL_MANIFESTS  = "s3://evenkeel-dev-123456789012-us-east-1/manifests"
      RUST_LOG            = "info"
    }
    error_message = "The daemon is told where it is, and where its manifests and lease are."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem && aws_ecs_task_definition.this.runtime_platform[0].cpu_architecture == "ARM64" && aws_ecs_task_definition.this.task_role_arn != aws_ecs_task_definition.this.execution_role_arn
    error_message = "The daemon writes no file, and has a role of its own."
  }

  assert {
    condition     = aws_ecs_service.this.desired_count == 2 && !aws_ecs_service.this.network_configuration[0].assign_public_ip && aws_ecs_service.this.deployment_minimum_healthy_percent == 100
    error_message = "The daemons run in private, and a new one starts before the old one ends."
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy && aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "The bucket is versioned and private, and goes with an unprotected stack."
  }
}
