"""The search for bits as a Gymnasium environment."""
