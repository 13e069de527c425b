# Made before anything writes to them: whoever finds none makes one that is kept for ever.
resource "aws_cloudwatch_log_group" "this" {
  for_each = var.names

  name              = each.value
  retention_in_days = var.retention_in_days
}
