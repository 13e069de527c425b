mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name              = "evenkeel-dev"
  vpc_id            = "vpc-0b1d6f3a8e2c94750"
  subnet_ids        = ["subnet-0a4f1c2e9b7d35a61", "subnet-0d82b6e41f9c07a5e"]
  security_group_id = "sg-0c3a9e5d7f1b28460"
  target_port       = 80
  certificate_arn   = null
  protect           = false
}

run "target_group" {
  module {
    source = "./modules/alb"
  }

  assert {
    condition     = aws_lb_target_group.api.target_type == "ip" && aws_lb_target_group.api.port == 80 && aws_lb_target_group.api.protocol == "HTTP" && tostring(aws_lb_target_group.api.deregistration_delay) == "30"
    error_message = "Targets are addresses, asked on 80, with 30 s to finish."
  }

  assert {
    condition     = aws_lb_target_group.api.health_check[0].path == "/health" && aws_lb_target_group.api.health_check[0].matcher == "200" && aws_lb_target_group.api.health_check[0].timeout < aws_lb_target_group.api.health_check[0].interval
    error_message = "Health is what GET /health answers."
  }

  assert {
    condition     = length(aws_lb_target_group.api.name_prefix) <= 6
    error_message = "A target group's name prefix has at most 6 characters."
  }
}

run "http" {
  module {
    source = "./modules/alb"
  }

  assert {
    condition     = !aws_lb.this.internal && aws_lb.this.load_balancer_type == "application" && aws_lb.this.drop_invalid_header_fields && toset(aws_lb.this.subnets) == toset(var.subnet_ids) && aws_lb.this.security_groups == toset([var.security_group_id])
    error_message = "The load balancer faces the internet, in both zones, in its group."
  }

  assert {
    condition     = aws_lb_listener.http.port == 80 && aws_lb_listener.http.default_action[0].type == "forward" && aws_lb_listener.http.default_action[0].target_group_arn == aws_lb_target_group.api.arn && length(aws_lb_listener.https) == 0
    error_message = "Without a certificate 80 forwards to the target group."
  }
}

run "https" {
  module {
    source = "./modules/alb"
  }

  variables {
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
  }

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].target_group_arn == null && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS" && aws_lb_listener.http.default_action[0].redirect[0].port == "443"
    error_message = "With a certificate 80 only redirects."
  }

  assert {
    condition     = aws_lb_listener.https[0].port == 443 && aws_lb_listener.https[0].certificate_arn == var.certificate_arn && aws_lb_listener.https[0].default_action[0].target_group_arn == aws_lb_target_group.api.arn
    error_message = "443 forwards to the target group."
  }
}
