"""What happens in searches, told as it happens."""
