variable "names" {
  description = "The groups' names, by what they are for."
  type        = map(string)
}

variable "retention_in_days" {
  description = "How long the groups keep what they hold."
  type        = number
}
