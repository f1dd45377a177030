"""Answers that are given again instead of being worked out twice."""
