resource "aws_ecr_repository" "this" {
  for_each = toset(var.images)

  name = "${var.name}/${each.value}"

  # A tag means one image for ever; what a manifest names cannot change under it.
  image_tag_mutability = "IMMUTABLE"

  # Images are all that is in it, and they can be built again: outside production they go with the stack.
  force_delete = !var.protect

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "AES256"
  }

  tags = { Name = "${var.name}/${each.value}" }
}

# Only what has no tag goes. Tags being immutable, what runs has one, and so has every release that a rollback could want;
# ECR keeps an untagged image that a tagged index names, such as one platform of two.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
resource "aws_ecr_lifecycle_policy" "this" {
  for_each = aws_ecr_repository.this

  repository = each.value.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Images whose tag was taken away"
      selection = {
        tagStatus   = "untagged"
        countType   = "sinceImagePushed"
        countUnit   = "days"
        countNumber = 30
      }
      action = { type = "expire" }
    }]
  })
}
