"""How far the device agent can be trusted, measured on this machine: `python -m bench.agent`."""
