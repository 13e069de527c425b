# The shape of the network: two zones, explicit routes, and private subnets that reach the internet by NAT alone.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "evenkeel-dev"
  region             = "us-east-1"
  cidr               = "10.0.0.0/16"
  availability_zones = ["us-east-1a", "us-east-1b"]
  nat                = "single"
}

run "two_zones" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = aws_vpc.this.cidr_block == "10.0.0.0/16" && aws_vpc.this.enable_dns_hostnames && aws_vpc.this.enable_dns_support
    error_message = "The VPC must have its addresses, and names."
  }

  assert {
    condition = { for zone, subnet in aws_subnet.public : zone => subnet.cidr_block } == {
      us-east-1a = "10.0.0.0/24"
      us-east-1b = "10.0.1.0/24"
    }
    error_message = "One public subnet a zone, with these addresses."
  }

  assert {
    condition = { for zone, subnet in aws_subnet.private : zone => subnet.cidr_block } == {
      us-east-1a = "10.0.16.0/20"
      us-east-1b = "10.0.32.0/20"
    }
    error_message = "One private subnet a zone, with these addresses."
  }

  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private)) : !subnet.map_public_ip_on_launch])
    error_message = "No subnet gives public addresses of its own accord."
  }

  assert {
    condition     = alltrue([for zone, subnet in merge(aws_subnet.public, aws_subnet.private) : subnet.availability_zone == zone && subnet.vpc_id == aws_vpc.this.id])
    error_message = "Subnets lie in their zone, in this VPC."
  }

  assert {
    condition     = output.private_subnet_ids == tolist([aws_subnet.private["us-east-1a"].id, aws_subnet.private["us-east-1b"].id])
    error_message = "The subnets are handed on in the order of the zones."
  }
}

run "routes_are_explicit" {
  module {
    source = "./modules/network"
  }

  assert {
    condition = (
      aws_route.public_to_internet.route_table_id == aws_route_table.public.id &&
      aws_route.public_to_internet.destination_cidr_block == "0.0.0.0/0" &&
      aws_route.public_to_internet.gateway_id == aws_internet_gateway.this.id
    )
    error_message = "The public table leads to the internet gateway."
  }

  assert {
    condition     = alltrue([for zone, association in aws_route_table_association.public : association.subnet_id == aws_subnet.public[zone].id && association.route_table_id == aws_route_table.public.id])
    error_message = "Every public subnet has the public table."
  }

  assert {
    condition     = alltrue([for zone, association in aws_route_table_association.private : association.subnet_id == aws_subnet.private[zone].id && association.route_table_id == aws_route_table.private[zone].id])
    error_message = "Every private subnet has the table of its zone."
  }

  assert {
    condition     = length(aws_route_table_association.public) == 2 && length(aws_route_table_association.private) == 2
    error_message = "No subnet is left to the VPC's main table."
  }

  assert {
    condition = alltrue([
      for zone, route in aws_route.private_to_nat :
      route.gateway_id == null || route.gateway_id != aws_internet_gateway.this.id
    ])
    error_message = "No private subnet has a route to the internet gateway."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && toset(aws_vpc_endpoint.s3.route_table_ids) == toset([for table in aws_route_table.private : table.id])
    error_message = "S3 is reached by the free endpoint from every private table."
  }
}

run "a_single_nat_gateway" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["us-east-1a"] && aws_nat_gateway.this["us-east-1a"].subnet_id == aws_subnet.public["us-east-1a"].id
    error_message = "One NAT gateway, in a public subnet."
  }

  assert {
    condition     = alltrue([for route in aws_route.private_to_nat : route.nat_gateway_id == aws_nat_gateway.this["us-east-1a"].id && route.destination_cidr_block == "0.0.0.0/0"]) && length(aws_route.private_to_nat) == 2
    error_message = "Both private tables lead to it."
  }
}

run "a_nat_gateway_in_each_zone" {
  module {
    source = "./modules/network"
  }

  variables {
    nat = "per_az"
  }

  assert {
    condition     = alltrue([for zone, gateway in aws_nat_gateway.this : gateway.subnet_id == aws_subnet.public[zone].id && gateway.allocation_id == aws_eip.nat[zone].id]) && length(aws_nat_gateway.this) == 2
    error_message = "A NAT gateway in each zone's public subnet, each with its address."
  }

  assert {
    condition     = alltrue([for zone, route in aws_route.private_to_nat : route.nat_gateway_id == aws_nat_gateway.this[zone].id])
    error_message = "Each private table leads to the gateway of its own zone."
  }
}
