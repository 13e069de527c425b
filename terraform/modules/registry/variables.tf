variable "name" {
  description = "First part of the repositories' names."
  type        = string
}

variable "images" {
  description = "The images, one repository each."
  type        = list(string)
}

variable "protect" {
  description = "Whether a repository with images in it refuses to be deleted."
  type        = bool
}
