variable "name" {
  description = "First part of the roles' names."
  type        = string
}

variable "partition" {
  description = "The partition in ARNs, such as aws."
  type        = string
}

variable "region" {
  description = "The region in ARNs."
  type        = string
}

variable "account_id" {
  description = "The account in ARNs, and the only one that ECS may assume the roles for."
  type        = string
}

variable "cluster_name" {
  description = "The one cluster whose services the daemon may touch. Families of task definitions begin with it."
  type        = string
}

variable "api_repository_arn" {
  description = "The repository of the API's images."
  type        = string
}

variable "api_log_group" {
  description = "The API's log group, which the daemon makes."
  type        = string
}

variable "api_secret_arns" {
  description = "The secrets that ECS puts into the API's tasks."
  type        = list(string)
}

variable "reconciler_repository_arn" {
  description = "The repository of the daemon's images."
  type        = string
}

variable "reconciler_log_group" {
  description = "The daemon's log group."
  type        = string
}

variable "bucket" {
  description = "The bucket of the manifests and the lease."
  type        = string
}

variable "manifests_prefix" {
  description = "What the manifests' keys begin with, without the slash."
  type        = string
}

variable "lease_key" {
  description = "The lease's key."
  type        = string
}
