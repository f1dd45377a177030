"""Uploaded files, and the networks that they hold, checked before ncnn sees them."""
