output "names" {
  description = "The groups' names, by what they are for; known once the groups are there."
  value       = { for purpose, group in aws_cloudwatch_log_group.this : purpose => group.name }
}
