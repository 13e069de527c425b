# A role is of use only with its policies, so each is known once they are there.

output "api_execution_role_arn" {
  description = "The role by which ECS starts the API's tasks."
  value       = aws_iam_role.api_execution.arn
  depends_on  = [aws_iam_role_policy.api_execution]
}

output "api_task_role_arn" {
  description = "The role of the API's own processes."
  value       = aws_iam_role.api_task.arn
}

output "reconciler_execution_role_arn" {
  description = "The role by which ECS starts the daemon's task."
  value       = aws_iam_role.reconciler_execution.arn
  depends_on  = [aws_iam_role_policy.reconciler_execution]
}

output "reconciler_task_role_arn" {
  description = "The daemon's own role."
  value       = aws_iam_role.reconciler_task.arn
  depends_on  = [aws_iam_role_policy.reconciler_task, aws_iam_role_policy_attachment.reconciler_stop_deployment]
}
