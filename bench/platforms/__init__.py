"""Whether platforms want policies of their own, and whether MACs foretell latency."""
