output "arns" {
  description = "The repositories' ARNs by image."
  value       = { for image, repository in aws_ecr_repository.this : image => repository.arn }
}

output "urls" {
  description = "The repositories' URLs by image, without a tag."
  value       = { for image, repository in aws_ecr_repository.this : image => repository.repository_url }
}
