variable "name" {
  description = "Name of the load balancer: at most 32 characters."
  type        = string
}

variable "vpc_id" {
  description = "The VPC of the targets."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets, in two zones at least."
  type        = list(string)
}

variable "security_group_id" {
  description = "The load balancer's group."
  type        = string
}

variable "target_port" {
  description = "The port that targets listen on."
  type        = number
}

variable "certificate_arn" {
  description = "Certificate of the listener on 443. null: there is none, and 80 serves."
  type        = string
}

variable "protect" {
  description = "Deletion protection."
  type        = bool
}
