# What is allowed, and most likely not meant. Each is a warning of plan and apply, not an error.

check "production_is_protected" {
  assert {
    condition     = var.environment != "prod" || var.protect
    error_message = "protect is off in prod: `terraform destroy` would take the database with it, without a snapshot."
  }
}

check "production_survives_a_zone" {
  assert {
    condition     = var.environment != "prod" || (var.nat == "per_az" && var.database_multi_az && var.cache_nodes == 2)
    error_message = "prod has one of something: set nat = per_az, database_multi_az = true and cache_nodes = 2, or the loss of one zone can end the service."
  }
}

check "traffic_is_encrypted" {
  assert {
    condition     = var.environment != "prod" || var.certificate_arn != null
    error_message = "prod serves plain HTTP: set certificate_arn."
  }
}
