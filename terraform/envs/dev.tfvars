# Cheap, and gone without a trace: terraform plan -var-file envs/dev.tfvars
environment        = "dev"
region             = "us-east-1"
availability_zones = ["us-east-1a", "us-east-1b"]

nat                = "single"
protect            = false
log_retention_days = 14

database_multi_az    = false
database_backup_days = 1
cache_nodes          = 1

reconciler_image_tag = "0.1.0"
