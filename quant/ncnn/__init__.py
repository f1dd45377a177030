"""ncnn files: read, write, plan mixed precision, run. Imports no torch."""
