output "url_secret_arn" {
  description = "The secret with the URL; known once it has its value."
  value       = aws_secretsmanager_secret_version.url.secret_arn
}

output "password_secret_arn" {
  description = "RDS's secret: JSON with username and password."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}
