output "name" {
  description = "The cluster's name."
  value       = aws_ecs_cluster.this.name

  # A service that asks for Spot is refused until the cluster offers it.
  depends_on = [aws_ecs_cluster_capacity_providers.this]
}

output "arn" {
  description = "The cluster's ARN."
  value       = aws_ecs_cluster.this.arn

  depends_on = [aws_ecs_cluster_capacity_providers.this]
}
