"""Post-training quantization from a few unlabelled images, each means in a file of its own."""
