"""What a mirror that does not swap left and right costs a network that tells them apart."""
