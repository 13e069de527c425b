output "dns_name" {
  description = "The load balancer's name in DNS."
  value       = aws_lb.this.dns_name
}

output "target_group_arn" {
  description = "The API's target group, which a listener forwards to."
  value       = aws_lb_target_group.api.arn

  # ECS refuses a service whose target group belongs to no load balancer.
  depends_on = [aws_lb_listener.http, aws_lb_listener.https]
}
