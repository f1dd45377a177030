from __future__ import annotations

from bench.quantizer.ablation import SEQUENCES, ablate
from haq.prepare import make_subject
from tests.haq.subjects import SMALL, cropped, small_subject


def test_rows_of_all_methods() -> None:
    calibration = cropped("calibration", 20)
    subject = make_subject(SMALL, small_subject().network, calibration, "mse")
    rows = list(ablate(subject, calibration, cropped("test", 20), ["w4a8"]))
    assert [row["method"] for row in rows] == ["naive", "table", *SEQUENCES]
    assert all(row["kl"] > 0 and row["seconds"] >= 0 for row in rows)
