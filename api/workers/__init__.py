"""Processes that carry searches out."""
