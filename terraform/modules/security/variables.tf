variable "name" {
  description = "First part of the groups' names."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that the groups are for."
  type        = string
}

variable "vpc_cidr" {
  description = "Addresses of the VPC: who may scrape the daemon."
  type        = string
}

variable "allowed_cidr_blocks" {
  description = "Who may reach the load balancer."
  type        = list(string)
}

variable "https" {
  description = "Whether the load balancer listens on 443, too."
  type        = bool
}

variable "api_port" {
  description = "The port that the API's tasks listen on."
  type        = number
}
