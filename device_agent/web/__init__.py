"""The web service: who may come in, routes, errors, logs, start and end."""
