"""What finetuning brings and takes on the packaged network."""
