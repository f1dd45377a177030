"""Every network of the zoo through a search, from its weights to both exported files."""
