# Redis. It holds copies of items for a minute: nothing in it is worth a backup, and its security group, which admits only
# the tasks, is its guard. No password, because one would have to pass through Terraform's state.

resource "aws_elasticache_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id = var.name
  description          = "Redis of ${var.name}"

  engine               = "redis"
  engine_version       = "7.1"
  parameter_group_name = "default.redis7"
  node_type            = var.node_type
  port                 = 6379

  # Failing over needs a replica to fail over to.
  num_cache_clusters         = var.nodes
  automatic_failover_enabled = var.nodes > 1
  multi_az_enabled           = var.nodes > 1

  subnet_group_name  = aws_elasticache_subnet_group.this.name
  security_group_ids = [var.security_group_id]

  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"

  auto_minor_version_upgrade = true
  snapshot_retention_limit   = 0

  # What needs a restart waits for the maintenance window in production.
  apply_immediately = !var.protect
}

resource "aws_secretsmanager_secret" "url" {
  name        = "${var.name}/redis-url"
  description = "Redis's URL for the API"

  # A deleted secret keeps its name until the window is over; then the stack could not be made again.
  recovery_window_in_days = var.protect ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "url" {
  secret_id     = aws_secretsmanager_secret.url.id
  secret_string = "rediss://${aws_elasticache_replication_group.this.primary_endpoint_address}:6379/0"
}
