locals {
  manifests_prefix = "manifests"
  lease_key        = "lease"
  manifests_url    = "s3://${var.bucket}/${local.manifests_prefix}"
  lease_url        = "s3://${var.bucket}/${local.lease_key}"
}

output "manifests_prefix" {
  description = "What the manifests' keys begin with, without the slash."
  value       = local.manifests_prefix
}

output "lease_key" {
  description = "The lease's key."
  value       = local.lease_key
}

output "manifests_url" {
  description = "Where the daemon reads manifests."
  value       = local.manifests_url
}

output "lease_url" {
  description = "The daemons' lease."
  value       = local.lease_url
}
