variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "container_insights" {
  description = "disabled, enabled or enhanced."
  type        = string
}
