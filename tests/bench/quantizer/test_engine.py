from __future__ import annotations

from bench.quantizer.engine import OBSERVERS, rate_engine
from tests.haq.subjects import SMALL, cropped, small_subject


def test_rows_of_all_observers() -> None:
    network = small_subject().network
    rows = list(rate_engine(SMALL, network, cropped("calibration", 20), cropped("test", 20)))
    assert len({row["method"] for row in rows}) == len(rows) == 2 * len(OBSERVERS)
    assert all(row["kl"] > 0 for row in rows)
