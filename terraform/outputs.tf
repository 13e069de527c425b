# What manifests refer to as ${terraform.NAME}. The same values are written to terraform.json beside the manifests in the
# bucket, in the form of `terraform output -json`, which is where the daemon reads them.
locals {
  published = {
    account_id                   = local.account_id
    api_execution_role_arn       = module.iam.api_execution_role_arn
    api_task_role_arn            = module.iam.api_task_role_arn
    cluster_name                 = module.cluster.name
    database_password_secret_arn = "${module.database.password_secret_arn}:password::"
    database_url_secret_arn      = module.database.url_secret_arn
    ecr_repository_url           = module.registry.urls["api"]
    ecs_security_group_id        = module.security.tasks_id
    load_balancer_dns_name       = module.alb.dns_name
    private_subnet_ids           = module.network.private_subnet_ids
    redis_url_secret_arn         = module.cache.url_secret_arn
    region                       = var.region
    schema_version               = 1
    target_group_arn             = module.alb.target_group_arn
  }
}

output "account_id" {
  description = "The account that everything lies in."
  value       = local.published.account_id
}

output "api_execution_role_arn" {
  description = "The role by which ECS starts the API's tasks: pulls the image, reads the secrets, writes the logs."
  value       = local.published.api_execution_role_arn
}

output "api_task_role_arn" {
  description = "The role of the API's own processes. It may do nothing."
  value       = local.published.api_task_role_arn
}

output "cluster_name" {
  description = "The ECS cluster."
  value       = local.published.cluster_name
}

output "database_password_secret_arn" {
  description = "The database's password, for `secrets[].valueFrom`: the member `password` of the secret that RDS manages."
  value       = local.published.database_password_secret_arn
}

output "database_url_secret_arn" {
  description = "The secret that holds PostgreSQL's URL, without the password."
  value       = local.published.database_url_secret_arn
}

output "ecr_repository_url" {
  description = "Where the API's images are pushed."
  value       = local.published.ecr_repository_url
}

output "ecs_security_group_id" {
  description = "The security group of the API's tasks."
  value       = local.published.ecs_security_group_id
}

output "load_balancer_dns_name" {
  description = "The load balancer's name in DNS."
  value       = local.published.load_balancer_dns_name
}

output "private_subnet_ids" {
  description = "The subnets that tasks run in, one per zone."
  value       = local.published.private_subnet_ids
}

output "redis_url_secret_arn" {
  description = "The secret that holds Redis's URL."
  value       = local.published.redis_url_secret_arn
}

output "region" {
  description = "The region that everything lies in."
  value       = local.published.region
}

output "schema_version" {
  description = "Changes when an output that manifests may name goes away or changes its meaning."
  value       = local.published.schema_version
}

output "target_group_arn" {
  description = "The target group that the API's tasks register with."
  value       = local.published.target_group_arn
}

# What people need. Manifests do not, so terraform.json does not hold it.

output "api_url" {
  description = "Where the API answers. With a certificate, ask by the name that it is for."
  value       = "${var.certificate_arn == null ? "http" : "https"}://${module.alb.dns_name}"
}

output "evenkeel_repository_url" {
  description = "Where the daemon's images are pushed."
  value       = module.registry.urls["evenkeel"]
}

output "lease_url" {
  description = "The daemons' lease, for `evenkeel apply --lease`."
  value       = module.reconciler.lease_url
}

output "manifests_url" {
  description = "Where the daemon reads manifests, for `evenkeel push`."
  value       = module.reconciler.manifests_url
}
