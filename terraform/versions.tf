terraform {
  # 1.11: the S3 backend locks by itself (use_lockfile).
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.66"
    }
  }
}
