variable "name" {
  description = "First part of every resource's name."
  type        = string
  default     = "evenkeel"

  # With the environment behind it, the name must fit a load balancer's 32 and, with account and region, a bucket's 63 characters.
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,13}$", var.name)) && !strcontains(var.name, "--") && !endswith(var.name, "-")
    error_message = "name must be 2 to 14 of a-z, 0-9 and single inner hyphens, beginning with a letter."
  }

  # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
  validation {
    condition     = !startswith("${var.name}-", "internal-")
    error_message = "name must not be or begin with internal: load balancers may not be called so."
  }
}

variable "environment" {
  description = "Second part of every resource's name, such as dev or prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,7}$", var.environment))
    error_message = "environment must be 2 to 8 of a-z and 0-9, beginning with a letter."
  }
}

variable "account_id" {
  description = "The account that must be meant. null: whichever the credentials belong to."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "region" {
  description = "The region of everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region's code, such as us-east-1."
  }
}

variable "availability_zones" {
  description = "The two zones that the subnets lie in. Named here and not looked up: a zone that AWS adds must not move them."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) == 2 && length(distinct(var.availability_zones)) == 2
    error_message = "availability_zones must name two different zones."
  }

  validation {
    condition     = alltrue([for zone in var.availability_zones : can(regex("^${var.region}[a-z]$", zone))])
    error_message = "availability_zones must be zones of the region, such as us-east-1a."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC. The two public subnets take a 256th each, the two private ones a 16th."
  type        = string
  default     = "10.0.0.0/16"

  # A public subnet holds the load balancer, which wants a /27 or larger: 8 bits below the VPC's.
  validation {
    condition = (
      can(cidrhost(var.vpc_cidr, 0)) &&
      try(cidrhost(var.vpc_cidr, 0) == split("/", var.vpc_cidr)[0], false) &&
      try(contains(["16", "17", "18", "19"], split("/", var.vpc_cidr)[1]), false)
    )
    error_message = "vpc_cidr must be an IPv4 network from /16 to /19 with no host bits set, such as 10.0.0.0/16."
  }
}

variable "nat" {
  description = "single: one NAT gateway, whose zone's loss cuts both off the internet. per_az: one in each zone."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "per_az"], var.nat)
    error_message = "nat must be single or per_az."
  }
}

variable "allowed_cidr_blocks" {
  description = "Who may reach the load balancer."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.allowed_cidr_blocks) > 0 && alltrue([for block in var.allowed_cidr_blocks : can(cidrnetmask(block))])
    error_message = "allowed_cidr_blocks must be one or more IPv4 networks, such as 203.0.113.0/24."
  }
}

variable "certificate_arn" {
  description = "ACM certificate of the load balancer, in the same region. With it, 443 serves and 80 redirects there. null: 80 serves."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:aws[a-z-]*:acm:${var.region}:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of an ACM certificate in the stack's region."
  }
}

variable "protect" {
  description = "Deletion protection, final snapshots, and buckets, registries and secrets that are not emptied with the stack. false: destroy and recreate work at once."
  type        = bool
}

variable "log_retention_days" {
  description = "How long Terraform's own log groups keep what they hold. The API's group is its manifest's."
  type        = number
  default     = 14

  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "log_retention_days must be one of the periods that CloudWatch Logs offers, such as 14, 30 or 365."
  }
}

variable "api_log_group" {
  description = "The API's log group as its manifest names it. Evenkeel makes it; here it only gets the permissions."
  type        = string
  default     = "/ecs/api"

  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
  # `*` and `?` would widen the policies; CloudWatch allows neither.
  validation {
    condition     = can(regex("^[A-Za-z0-9_/.#-]{1,512}$", var.api_log_group)) && !startswith(var.api_log_group, "aws/")
    error_message = "api_log_group must be 1 to 512 of letters, digits and _ / . # -, and not begin with aws/."
  }
}

variable "container_insights" {
  description = "Container Insights of the cluster: disabled, enabled or enhanced. Charged by metric."
  type        = string
  default     = "disabled"

  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.container_insights)
    error_message = "container_insights must be disabled, enabled or enhanced."
  }
}

variable "database_instance_class" {
  description = "RDS instance class."
  type        = string
  default     = "db.t3.micro"

  validation {
    condition     = can(regex("^db\\.[a-z0-9-]+\\.[a-z0-9]+$", var.database_instance_class))
    error_message = "database_instance_class must be an RDS instance class, such as db.t3.micro."
  }
}

variable "database_multi_az" {
  description = "A standby of the database in the other zone."
  type        = bool
  default     = false
}

variable "database_backup_days" {
  description = "How many days of automated backups are kept."
  type        = number
  default     = 1

  validation {
    condition     = var.database_backup_days >= 1 && var.database_backup_days <= 35 && floor(var.database_backup_days) == var.database_backup_days
    error_message = "database_backup_days must be 1 to 35."
  }
}

variable "database_password_days" {
  description = "How often RDS changes the database's password. Tasks that began before a change must be replaced after it."
  type        = number
  default     = 30

  # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
  validation {
    condition     = var.database_password_days >= 1 && var.database_password_days <= 1000 && floor(var.database_password_days) == var.database_password_days
    error_message = "database_password_days must be 1 to 1000."
  }
}

variable "cache_node_type" {
  description = "ElastiCache node type."
  type        = string
  default     = "cache.t3.micro"

  validation {
    condition     = can(regex("^cache\\.[a-z0-9-]+\\.[a-z0-9]+$", var.cache_node_type))
    error_message = "cache_node_type must be an ElastiCache node type, such as cache.t3.micro."
  }
}

variable "cache_nodes" {
  description = "1: one node. 2: a replica in the other zone that takes over."
  type        = number
  default     = 1

  validation {
    condition     = contains([1, 2], var.cache_nodes)
    error_message = "cache_nodes must be 1 or 2: there are two zones."
  }
}

variable "reconciler_image_tag" {
  description = "The tag of the daemon's image. Until it is pushed ECS keeps trying to pull it."
  type        = string

  # https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.reconciler_image_tag))
    error_message = "reconciler_image_tag must be an image tag, such as 0.3.0."
  }
}

variable "reconciler_cpu_architecture" {
  description = "What the daemon's image is built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.reconciler_cpu_architecture)
    error_message = "reconciler_cpu_architecture must be X86_64 or ARM64."
  }
}

variable "reconciler_count" {
  description = "How many daemons run. One of them acts, by the lease; 2 shortens a takeover, 0 stops reconciling."
  type        = number
  default     = 1

  validation {
    condition     = contains([0, 1, 2], var.reconciler_count)
    error_message = "reconciler_count must be 0, 1 or 2."
  }
}
