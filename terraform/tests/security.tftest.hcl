# The chain: internet → alb → tasks → {database, cache}. Each group admits exactly the group before it, on exactly its port.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                = "evenkeel-dev"
  vpc_id              = "vpc-0b1d6f3a8e2c94750"
  vpc_cidr            = "10.0.0.0/16"
  allowed_cidr_blocks = ["198.51.100.0/24", "203.0.113.0/24"]
  https               = false
  api_port            = 80
}

run "chain" {
  module {
    source = "./modules/security"
  }

  assert {
    condition     = toset(keys(aws_security_group.this)) == toset(["alb", "cache", "database", "reconciler", "tasks"])
    error_message = "These groups and no other."
  }

  # What this module's rules are is in this list; a rule that is not in it has no test.
  assert {
    condition = alltrue([
      for rule in [
        { in = aws_vpc_security_group_ingress_rule.alb_to_tasks, out = aws_vpc_security_group_egress_rule.alb_to_tasks, from = "alb", to = "tasks", port = 80 },
        { in = aws_vpc_security_group_ingress_rule.tasks_to_database, out = aws_vpc_security_group_egress_rule.tasks_to_database, from = "tasks", to = "database", port = 5432 },
        { in = aws_vpc_security_group_ingress_rule.tasks_to_cache, out = aws_vpc_security_group_egress_rule.tasks_to_cache, from = "tasks", to = "cache", port = 6379 },
      ] :
      rule.in.security_group_id == aws_security_group.this[rule.to].id &&
      rule.in.referenced_security_group_id == aws_security_group.this[rule.from].id &&
      rule.out.security_group_id == aws_security_group.this[rule.from].id &&
      rule.out.referenced_security_group_id == aws_security_group.this[rule.to].id &&
      alltrue([for side in [rule.in, rule.out] : side.ip_protocol == "tcp" && side.from_port == rule.port && side.to_port == rule.port && side.cidr_ipv4 == null && side.cidr_ipv6 == null && side.prefix_list_id == null])
    ])
    error_message = "Each edge of the chain is a rule on either side, group to group, for one port."
  }

  assert {
    condition = (
      toset([for rule in aws_vpc_security_group_ingress_rule.clients_to_alb : rule.cidr_ipv4]) == toset(["198.51.100.0/24", "203.0.113.0/24"]) &&
      alltrue([for rule in aws_vpc_security_group_ingress_rule.clients_to_alb : rule.security_group_id == aws_security_group.this["alb"].id && rule.from_port == 80 && rule.to_port == 80 && rule.ip_protocol == "tcp"])
    )
    error_message = "Only the allowed networks reach the load balancer, on 80."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.clients_to_alb_https) == 0
    error_message = "Without a certificate 443 is closed."
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.vpc_to_reconciler.security_group_id == aws_security_group.this["reconciler"].id &&
      aws_vpc_security_group_ingress_rule.vpc_to_reconciler.cidr_ipv4 == "10.0.0.0/16" &&
      aws_vpc_security_group_ingress_rule.vpc_to_reconciler.from_port == 9180 &&
      aws_vpc_security_group_ingress_rule.vpc_to_reconciler.to_port == 9180
    )
    error_message = "The daemon's port is open to the VPC and to nobody else."
  }

  assert {
    condition = (
      { for group, rule in aws_vpc_security_group_egress_rule.to_aws : group => rule.security_group_id } == { for group in ["reconciler", "tasks"] : group => aws_security_group.this[group].id } &&
      alltrue([for rule in aws_vpc_security_group_egress_rule.to_aws : rule.from_port == 443 && rule.to_port == 443 && rule.ip_protocol == "tcp"])
    )
    error_message = "The tasks and the daemon reach AWS, on 443; the stores reach nothing."
  }
}

run "https" {
  module {
    source = "./modules/security"
  }

  variables {
    https = true
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.clients_to_alb_https) == 2 && alltrue([for rule in aws_vpc_security_group_ingress_rule.clients_to_alb_https : rule.from_port == 443 && rule.to_port == 443 && rule.security_group_id == aws_security_group.this["alb"].id])
    error_message = "With a certificate the same networks reach 443."
  }
}
