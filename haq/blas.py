"""How many threads numpy's linear algebra has."""

from __future__ import annotations

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""Environment of programs here. The systems of equations that numpy solves are small: threads only
wait for each other, on a busy machine for most of a search. Read when numpy is first imported."""
