resource "aws_lb_target_group" "api" {
  # At most 6 characters, by the provider. A prefix and not a name, so that a successor can stand beside what it replaces:
  # a target group that a listener uses cannot be deleted.
  name_prefix = "api-"

  vpc_id      = var.vpc_id
  target_type = "ip" # tasks of Fargate have addresses and no instances
  protocol    = "HTTP"
  port        = var.target_port

  # How long a task that is to stop still finishes its requests. ELB's default of 300 s would make rollouts slow.
  deregistration_delay = 30

  health_check {
    path                = "/health" # answers whatever the stores do: their loss must not take every task out
    protocol            = "HTTP"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  tags = { Name = "${var.name}-api" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb" "this" {
  name               = var.name
  load_balancer_type = "application"
  internal           = false
  subnets            = var.subnet_ids
  security_groups    = [var.security_group_id]

  # A header that is no header is a way to smuggle a request.
  drop_invalid_header_fields = true

  # The API keeps idle connections for 75 s: the balancer must let go of them first, or it meets one just closed.
  idle_timeout = 60

  enable_deletion_protection = var.protect

  tags = { Name = var.name }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type             = var.certificate_arn == null ? "forward" : "redirect"
    target_group_arn = var.certificate_arn == null ? aws_lb_target_group.api.arn : null

    dynamic "redirect" {
      for_each = var.certificate_arn == null ? [] : ["443"]

      content {
        protocol    = "HTTPS"
        port        = redirect.value
        status_code = "HTTP_301"
      }
    }
  }
}

resource "aws_lb_listener" "https" {
  count = var.certificate_arn == null ? 0 : 1

  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTPS"
  port              = 443
  certificate_arn   = var.certificate_arn

  # TLS 1.2 and 1.3. https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
  ssl_policy = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }
}
