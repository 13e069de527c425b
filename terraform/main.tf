# The static tiers: what must be there before a manifest can name it. What manifests describe (the service, its task
# definitions, its log group) is Evenkeel's, and nothing here makes it: one owner per resource.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  prefix     = "${var.name}-${var.environment}"
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  # Bucket names are global: account and region make it ours.
  bucket = "${local.prefix}-${local.account_id}-${var.region}"

  # The API listens here; the target group, the security groups and manifests/api.yaml agree on it.
  api_port = 80
}

module "network" {
  source = "./modules/network"

  name               = local.prefix
  region             = var.region
  cidr               = var.vpc_cidr
  availability_zones = var.availability_zones
  nat                = var.nat
}

module "security" {
  source = "./modules/security"

  name                = local.prefix
  vpc_id              = module.network.vpc_id
  vpc_cidr            = var.vpc_cidr
  allowed_cidr_blocks = var.allowed_cidr_blocks
  https               = var.certificate_arn != null
  api_port            = local.api_port
}

module "alb" {
  source = "./modules/alb"

  name              = local.prefix
  vpc_id            = module.network.vpc_id
  subnet_ids        = module.network.public_subnet_ids
  security_group_id = module.security.alb_id
  target_port       = local.api_port
  certificate_arn   = var.certificate_arn
  protect           = var.protect
}

module "registry" {
  source = "./modules/registry"

  name    = local.prefix
  images  = ["api", "evenkeel"]
  protect = var.protect
}

module "cluster" {
  source = "./modules/cluster"

  name               = local.prefix
  container_insights = var.container_insights
}

module "logs" {
  source = "./modules/logs"

  retention_in_days = var.log_retention_days
  names = {
    reconciler = "/ecs/${local.prefix}/evenkeel"
    database   = "/aws/rds/instance/${local.prefix}/postgresql"
  }
}

module "database" {
  source = "./modules/database"

  name              = local.prefix
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.security.database_id
  instance_class    = var.database_instance_class
  multi_az          = var.database_multi_az
  backup_days       = var.database_backup_days
  password_days     = var.database_password_days
  protect           = var.protect

  # RDS makes its log groups itself, to be kept for ever, unless they are there before it.
  depends_on = [module.logs]
}

module "cache" {
  source = "./modules/cache"

  name              = local.prefix
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.security.cache_id
  node_type         = var.cache_node_type
  nodes             = var.cache_nodes
  protect           = var.protect
}

module "iam" {
  source = "./modules/iam"

  name         = local.prefix
  partition    = local.partition
  region       = var.region
  account_id   = local.account_id
  cluster_name = module.cluster.name

  api_repository_arn        = module.registry.arns["api"]
  api_log_group             = var.api_log_group
  api_secret_arns           = [module.database.url_secret_arn, module.database.password_secret_arn, module.cache.url_secret_arn]
  reconciler_repository_arn = module.registry.arns["evenkeel"]
  reconciler_log_group      = module.logs.names["reconciler"]
  bucket                    = local.bucket
  manifests_prefix          = module.reconciler.manifests_prefix
  lease_key                 = module.reconciler.lease_key
}

module "reconciler" {
  source = "./modules/reconciler"

  name               = local.prefix
  region             = var.region
  cluster_arn        = module.cluster.arn
  bucket             = local.bucket
  published          = local.published
  image              = "${module.registry.urls["evenkeel"]}:${var.reconciler_image_tag}"
  cpu_architecture   = var.reconciler_cpu_architecture
  desired_count      = var.reconciler_count
  execution_role_arn = module.iam.reconciler_execution_role_arn
  task_role_arn      = module.iam.reconciler_task_role_arn
  subnet_ids         = module.network.private_subnet_ids
  security_group_id  = module.security.reconciler_id
  log_group          = module.logs.names["reconciler"]
  protect            = var.protect
}
