"""Jobs in child processes, confined, with one kept ready."""
