# The daemon on ECS. This one service is Terraform's: the daemon does not deploy itself.

locals {
  # The port that it serves metrics, health and status on; its security group admits the VPC there.
  port = 9180
}

resource "aws_ecs_task_definition" "this" {
  family                   = "${var.name}-evenkeel"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512 # MiB
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = var.task_role_arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  container_definitions = jsonencode([{
    name        = "evenkeel"
    image       = var.image
    essential   = true
    command     = ["run"]
    stopTimeout = 30 # seconds; it ends within 5

    # It writes no file.
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] } }

    portMappings = [{ name = "http", containerPort = local.port, protocol = "tcp" }]

    environment = [
      { name = "AWS_REGION", value = var.region },
      { name = "EVENKEEL_HTTP", value = "0.0.0.0:${local.port}" },
      { name = "EVENKEEL_LEASE", value = local.lease_url },
      { name = "EVENKEEL_LOG_FORMAT", value = "json" },
      { name = "EVENKEEL_MANIFESTS", value = local.manifests_url },
      { name = "RUST_LOG", value = "info" },
    ]

    # The image holds nothing but the daemon, so it asks itself for /livez. Only whether it serves: a daemon that cannot reach AWS
    # is not helped by another in its place.
    healthCheck = {
      command     = ["CMD", "/evenkeel", "status", "--live", "--daemon", "http://127.0.0.1:${local.port}"]
      interval    = 30 # seconds
      timeout     = 10
      retries     = 3
      startPeriod = 60
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = var.log_group
        awslogs-region        = var.region
        awslogs-stream-prefix = "evenkeel"
        mode                  = "non-blocking" # a slow log service must not stop the daemon
        max-buffer-size       = "10m"
      }
    }
  }])
}

resource "aws_ecs_service" "this" {
  name            = "evenkeel"
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.this.arn
  launch_type     = "FARGATE"
  desired_count   = var.desired_count
  propagate_tags  = "SERVICE"

  # The new one starts first; the lease sees to it that only one acts. No circuit breaker: before the first image is
  # pushed there is nothing to go back to, and ECS is to go on trying until it can pull it.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  wait_for_steady_state              = false

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = false
  }

  # Manifests refer to it: without it the daemon would find every one of them wrong.
  depends_on = [aws_s3_object.outputs]
}
