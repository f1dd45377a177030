"""Whose turn it is to have the board."""
