# The manifests, terraform.json beside them, and the lease.

resource "aws_s3_bucket" "this" {
  bucket        = var.bucket
  force_destroy = !var.protect
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# What a manifest said yesterday is one command away.
resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # The lease is renewed every few seconds, and each renewal leaves a version. Of two rules S3 takes the one that ends sooner.
  rule {
    id     = "old-leases"
    status = "Enabled"

    filter {
      prefix = local.lease_key
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  # The rules are about versions, so versions come first.
  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "tls_only" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 takes one change of a bucket's access at a time.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_object" "outputs" {
  bucket       = aws_s3_bucket.this.id
  key          = "${local.manifests_prefix}/terraform.json"
  content_type = "application/json"

  # As `terraform output -json` prints it, but for the types.
  content = jsonencode({ for name, value in var.published : name => { sensitive = false, value = value } })

  # The first version is to be a version, and encrypted.
  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this]
}
