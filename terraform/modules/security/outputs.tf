output "alb_id" {
  description = "The load balancer's group."
  value       = aws_security_group.this["alb"].id
}

output "tasks_id" {
  description = "The group of the API's tasks."
  value       = aws_security_group.this["tasks"].id
}

output "database_id" {
  description = "PostgreSQL's group."
  value       = aws_security_group.this["database"].id
}

output "cache_id" {
  description = "Redis's group."
  value       = aws_security_group.this["cache"].id
}

output "reconciler_id" {
  description = "The daemon's group."
  value       = aws_security_group.this["reconciler"].id
}
