output "url_secret_arn" {
  description = "The secret with the URL; known once it has its value."
  value       = aws_secretsmanager_secret_version.url.secret_arn
}
