variable "name" {
  description = "First part of the task definition's family."
  type        = string
}

variable "region" {
  description = "The region that the daemon asks."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster that the daemon runs in, and whose services it keeps."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket of the manifests and the lease."
  type        = string
}

variable "published" {
  description = "What manifests refer to, by name; written to terraform.json beside them."
  type        = any
}

variable "image" {
  description = "The daemon's image, with its tag."
  type        = string
}

variable "cpu_architecture" {
  description = "What the image is built for: X86_64 or ARM64."
  type        = string
}

variable "desired_count" {
  description = "How many daemons run. One of them acts."
  type        = number
}

variable "execution_role_arn" {
  description = "The role by which ECS starts the task."
  type        = string
}

variable "task_role_arn" {
  description = "The daemon's own role."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets with a way to AWS's APIs."
  type        = list(string)
}

variable "security_group_id" {
  description = "The daemon's group."
  type        = string
}

variable "log_group" {
  description = "Where the daemon's log goes."
  type        = string
}

variable "protect" {
  description = "Whether a bucket with objects in it refuses to be deleted."
  type        = bool
}
