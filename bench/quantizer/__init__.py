"""What each means of post-training quantization brings, and what it takes."""
