"""Searchers, one file each."""
