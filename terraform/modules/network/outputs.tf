output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "The public subnets, in the order of the zones."
  value       = tolist([for zone in var.availability_zones : aws_subnet.public[zone].id])

  # A load balancer that faces the internet is refused in a VPC without a way there.
  depends_on = [aws_route.public_to_internet, aws_route_table_association.public]
}

output "private_subnet_ids" {
  description = "The private subnets, in the order of the zones."
  value       = tolist([for zone in var.availability_zones : aws_subnet.private[zone].id])

  # What starts in them pulls its image at once, by these ways.
  depends_on = [aws_route.private_to_nat, aws_route_table_association.private, aws_route.public_to_internet]
}
