from __future__ import annotations

import base64
import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haq.board.images import (
    FILE_BYTES,
    MAX_LOGITS,
    decode_logits,
    images_in_a_file,
    policies_in_a_job,
)
from quant.graph import Floats


def encode(logits: Floats) -> dict[str, Any]:
    """As the agent does."""
    rows = [np.ascontiguousarray(of_one, "<f4").tobytes() for of_one in logits]
    return {
        "shape": list(logits.shape),
        "logits": base64.b64encode(b"".join(rows)).decode(),
        "checksums": [hashlib.sha256(row).hexdigest() for row in rows],
        "seconds": 0.1,
        "ncnn_version": "1.0",
    }


@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.tuples(st.integers(1, 5)) | st.tuples(*[st.integers(1, 5)] * 3),
    st.integers(0, 9),
)
def test_logits_survive_the_way(
    policies: int, images: int, shape: tuple[int, ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(policies, images, *shape)).astype(np.float32)
    found = decode_logits(encode(logits), policies, images)
    assert found.dtype == np.float32
    assert np.array_equal(found, logits)


LOGITS = np.arange(12, dtype=np.float32).reshape(2, 3, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3, 2, 2]},
        {"shape": [2, 3, 3]},
        {"shape": [2, 6]},
        {"shape": [2, 3, 2, 1]},
        {"logits": encode(LOGITS + 1)["logits"]},
        {"logits": encode(LOGITS)["logits"][:-4]},
        {"logits": "no base64!"},
        {"checksums": encode(LOGITS)["checksums"][:1]},
        {"checksums": encode(LOGITS)["checksums"][::-1]},
    ],
)
def test_changed_logits_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_logits({**encode(LOGITS), **change}, 2, 3)


@given(st.integers(1, 10**9), st.integers(1, 10**5))
def test_files_and_answers_are_bounded(image_bytes: int, classes: int) -> None:
    images = images_in_a_file(image_bytes, classes)
    assert images == 1 or images * image_bytes <= FILE_BYTES
    policies = policies_in_a_job(images, classes)
    assert images * policies * classes <= MAX_LOGITS
    assert (images + 1) * image_bytes > FILE_BYTES or (images + 1) * classes > MAX_LOGITS
