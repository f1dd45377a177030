"""The dashboard: pages made on the server, of the same parts as the routes of /v1."""
