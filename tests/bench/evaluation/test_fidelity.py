import numpy as np
import pytest

from bench.evaluation.fidelity import count, kl, policies_of, top1
from haq.data import Images

CLASSES = np.eye(3, dtype=np.float32)
LABELS = np.array([0, 1, 2, 0])
IMAGES = Images(np.zeros((4, 1, 2, 2), np.uint8), LABELS)


def test_the_error_is_that_of_paired_differences() -> None:
    ours, theirs = CLASSES[[0, 1, 2, 1]], CLASSES[[0, 1, 1, 0]]
    found = top1(ours, theirs, IMAGES)
    assert (found["top1_fake"], found["top1_ncnn"], found["top1_difference"]) == (0.75, 0.75, 0.0)
    assert found["top1_standard_error"] == pytest.approx(np.std([0, 0, -1, 1], ddof=1) / 2)
    assert found["top1_keeps"]
    assert not top1(CLASSES[[1, 0, 0, 1]], CLASSES[LABELS], IMAGES)["top1_keeps"]


def test_the_ratio_of_divergences() -> None:
    found = kl(np.array([0.1, 0.3]), np.array([0.1, 0.2]))
    assert found["kl_ratio"] == pytest.approx(4 / 3)
    assert not found["kl_keeps"]
    assert kl(np.zeros(2), np.full(2, 1e-9))["kl_ratio"] == 1.0


def test_the_float_network_must_agree_more() -> None:
    found = {name: {"agreement": 0.98} for name in ("uniform 8", "uniform 32")}
    assert count(found, "agreement") == "1 of 2"


def test_uniform_and_mixed_policies() -> None:
    found = policies_of(tuple("abcdefghijkl"))
    assert all(policy.is_deployable for policy in found.values())
    assert len({policy.key() for policy in found.values()}) == len(found) == 13
