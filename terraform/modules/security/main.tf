# Who may speak to whom: internet → alb → tasks → {database, cache}. One resource per edge and side; a group with rules
# of its own inside would fight with them. A group made here admits nothing and reaches nothing until a rule says so.
# Names in the VPC are resolved past the groups, so nothing here is about DNS.

locals {
  # EC2 takes no apostrophe in a description.
  # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
  groups = {
    alb        = "Load balancer: from its clients to the tasks"
    tasks      = "API tasks: from the load balancer to the stores"
    database   = "PostgreSQL: from the tasks"
    cache      = "Redis: from the tasks"
    reconciler = "Daemon: reaches AWS, is scraped from within the VPC"
  }

  https_port    = 443
  postgres_port = 5432
  redis_port    = 6379
  # The daemon's metrics, health and status, read-only.
  daemon_port = 9180
}

resource "aws_security_group" "this" {
  for_each = local.groups

  name_prefix = "${var.name}-${each.key}-"
  description = each.value
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-${each.key}" }

  # A group in use cannot be deleted: its successor comes first.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients_to_alb" {
  for_each = toset(var.allowed_cidr_blocks)

  security_group_id = aws_security_group.this["alb"].id
  description       = var.https ? "HTTP, to be redirected" : "HTTP"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_ingress_rule" "clients_to_alb_https" {
  for_each = toset(var.https ? var.allowed_cidr_blocks : [])

  security_group_id = aws_security_group.this["alb"].id
  description       = "HTTPS"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = local.https_port
  to_port           = local.https_port
}

resource "aws_vpc_security_group_egress_rule" "alb_to_tasks" {
  security_group_id            = aws_security_group.this["alb"].id
  description                  = "Requests and health checks"
  referenced_security_group_id = aws_security_group.this["tasks"].id
  ip_protocol                  = "tcp"
  from_port                    = var.api_port
  to_port                      = var.api_port
}

resource "aws_vpc_security_group_ingress_rule" "alb_to_tasks" {
  security_group_id            = aws_security_group.this["tasks"].id
  description                  = "Requests and health checks"
  referenced_security_group_id = aws_security_group.this["alb"].id
  ip_protocol                  = "tcp"
  from_port                    = var.api_port
  to_port                      = var.api_port
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_database" {
  security_group_id            = aws_security_group.this["tasks"].id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.this["database"].id
  ip_protocol                  = "tcp"
  from_port                    = local.postgres_port
  to_port                      = local.postgres_port
}

resource "aws_vpc_security_group_ingress_rule" "tasks_to_database" {
  security_group_id            = aws_security_group.this["database"].id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.this["tasks"].id
  ip_protocol                  = "tcp"
  from_port                    = local.postgres_port
  to_port                      = local.postgres_port
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_cache" {
  security_group_id            = aws_security_group.this["tasks"].id
  description                  = "Redis"
  referenced_security_group_id = aws_security_group.this["cache"].id
  ip_protocol                  = "tcp"
  from_port                    = local.redis_port
  to_port                      = local.redis_port
}

resource "aws_vpc_security_group_ingress_rule" "tasks_to_cache" {
  security_group_id            = aws_security_group.this["cache"].id
  description                  = "Redis"
  referenced_security_group_id = aws_security_group.this["tasks"].id
  ip_protocol                  = "tcp"
  from_port                    = local.redis_port
  to_port                      = local.redis_port
}

# ECS's agent pulls the image, fetches the secrets and sends the logs through the task's own interface; AWS's addresses
# are public ones.
resource "aws_vpc_security_group_egress_rule" "to_aws" {
  for_each = toset(["tasks", "reconciler"])

  security_group_id = aws_security_group.this[each.value].id
  description       = "AWS APIs"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = local.https_port
  to_port           = local.https_port
}

resource "aws_vpc_security_group_ingress_rule" "vpc_to_reconciler" {
  security_group_id = aws_security_group.this["reconciler"].id
  description       = "Metrics and status, from within the VPC"
  cidr_ipv4         = var.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = local.daemon_port
  to_port           = local.daemon_port
}
