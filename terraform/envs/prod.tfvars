# Survives the loss of a zone, and a `terraform destroy` by mistake: terraform plan -var-file envs/prod.tfvars
environment        = "prod"
region             = "us-east-1"
availability_zones = ["us-east-1a", "us-east-1b"]

nat                = "per_az"
protect            = true
log_retention_days = 365
container_insights = "enabled"

# Until this is the ARN of your certificate, plan warns that traffic is not encrypted.
certificate_arn = null

database_multi_az    = true
database_backup_days = 14
cache_nodes          = 2

reconciler_image_tag = "0.1.0"
reconciler_count     = 2
