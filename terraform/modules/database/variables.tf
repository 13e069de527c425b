variable "name" {
  description = "Name of the instance and first part of what belongs to it."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, in two zones at least."
  type        = list(string)
}

variable "security_group_id" {
  description = "The database's group."
  type        = string
}

variable "instance_class" {
  description = "RDS instance class."
  type        = string
}

variable "multi_az" {
  description = "A standby in another zone."
  type        = bool
}

variable "backup_days" {
  description = "How many days of automated backups are kept."
  type        = number
}

variable "password_days" {
  description = "How often RDS changes the password."
  type        = number
}

variable "protect" {
  description = "Deletion protection, a final snapshot, and changes that wait for the maintenance window."
  type        = bool
}
