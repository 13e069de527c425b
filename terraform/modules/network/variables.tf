variable "name" {
  description = "Name of the VPC, and first part of the names within it."
  type        = string
}

variable "region" {
  description = "The region, for the name of S3's endpoint."
  type        = string
}

variable "cidr" {
  description = "Addresses of the VPC."
  type        = string
}

variable "availability_zones" {
  description = "The zones that get a public and a private subnet each, in the order of their addresses."
  type        = list(string)
}

variable "nat" {
  description = "single or per_az."
  type        = string
}
