"""From networks of other libraries to a folded `Network`: readers, and the builder they share."""

from quant.trace.fx_reader import trace

__all__ = ["trace"]
