provider "aws" {
  region = var.region

  # With an account named, credentials of another one are refused before anything is read or changed.
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  default_tags {
    tags = {
      Project     = var.name
      Environment = var.environment
      ManagedBy   = "terraform"
    }
  }
}
