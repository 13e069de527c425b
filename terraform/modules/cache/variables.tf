variable "name" {
  description = "Name of the replication group and first part of what belongs to it: at most 40 characters."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "security_group_id" {
  description = "Redis's group."
  type        = string
}

variable "node_type" {
  description = "ElastiCache node type."
  type        = string
}

variable "nodes" {
  description = "1: one node. 2: a replica in the other zone, that takes over."
  type        = number
}

variable "protect" {
  description = "Changes wait for the maintenance window, and a deleted secret can be brought back."
  type        = bool
}
