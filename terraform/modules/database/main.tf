# PostgreSQL. Its password is made, kept and changed by RDS in a secret of RDS's own: it is in no state, plan or variable.

locals {
  major_version = "17"
  user          = "api" # `admin` and `rdsadmin` are reserved
  database      = "api"

  # RDS's own CAs are in no system's store: the API's image holds their bundle here.
  ca_bundle = "/etc/ssl/rds.pem"
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-"
  description = "PostgreSQL of ${var.name}"
  family      = "postgres${local.major_version}"

  # The default since 15, said so that no one need know that: without TLS there is no connection.
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # A group in use cannot be deleted: a new major version brings its successor first.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = local.major_version # the newest minor version, and RDS keeps it so
  instance_class = var.instance_class

  auto_minor_version_upgrade = true

  storage_type          = "gp3"
  allocated_storage     = 20 # GiB, the least of gp3
  max_allocated_storage = 100
  storage_encrypted     = true

  db_name                     = local.database
  username                    = local.user
  manage_master_user_password = true
  parameter_group_name        = aws_db_parameter_group.this.name

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [var.security_group_id]
  port                   = 5432
  publicly_accessible    = false
  multi_az               = var.multi_az

  backup_retention_period = var.backup_days
  copy_tags_to_snapshot   = true

  enabled_cloudwatch_logs_exports = ["postgresql"]

  # What needs a restart waits for the maintenance window where the data matters.
  apply_immediately = !var.protect

  deletion_protection       = var.protect
  delete_automated_backups  = !var.protect
  skip_final_snapshot       = !var.protect
  final_snapshot_identifier = var.protect ? "${var.name}-final" : null
}

# RDS would change the password every seven days. Tasks get it when they start, so each change wants new tasks.
resource "aws_secretsmanager_secret_rotation" "password" {
  secret_id = aws_db_instance.this.master_user_secret[0].secret_arn

  # A password that is seconds old need not change.
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.password_days
  }
}

# A secret by its place in the manifest only: the password is not in the URL, and so not in Terraform's state.
resource "aws_secretsmanager_secret" "url" {
  name        = "${var.name}/database-url"
  description = "PostgreSQL's URL for the API, without the password"

  # A deleted secret keeps its name until the window is over; then the stack could not be made again.
  recovery_window_in_days = var.protect ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "url" {
  secret_id     = aws_secretsmanager_secret.url.id
  secret_string = "postgres://${local.user}@${aws_db_instance.this.address}:${aws_db_instance.this.port}/${local.database}?sslmode=verify-full&sslrootcert=${local.ca_bundle}"
}
