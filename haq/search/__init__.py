"""Searchers: they propose policies and learn from what came of them."""
