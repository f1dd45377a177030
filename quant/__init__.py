"""Quantization: policies, graphs, fake quantization and the ncnn writer."""
