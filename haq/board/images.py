"""Images on their way to a board in files, and logits on their way back."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from haq.board.answers import read_logits
from quant.graph import Floats

FILE_BYTES = 32 * 2**20
MAX_LOGITS = 2**24
"""Numbers in one answer, as the agent allows."""
LOGITS_BYTES = MAX_LOGITS * 4 * 4 // 3 + 2**20
"""The same as text, and what stands around it."""
RANKS = (3, 5)
"""Dimensions of logits, with height and width where every pixel has some."""


def images_in_a_file(image_bytes: int, logits: int) -> int:
    """Images that fit into a file, and whose logits, so many each, fit into an answer."""
    return max(1, min(FILE_BYTES // image_bytes, MAX_LOGITS // logits))


def policies_in_a_job(images: int, logits: int) -> int:
    """Policies whose logits of so many images, so many each, fit into an answer."""
    return max(1, MAX_LOGITS // (images * logits))


def decode_logits(answer: Any, policies: int, images: int) -> Floats:
    """Logits (policies, images, classes) of the answer of `/v1/infer`, or of every pixel.

    Raises ValueError for another shape, or where they are not those that the agent computed.
    """
    found = read_logits(answer)
    data = base64.b64decode(found.logits, validate=True)
    logits: NDArray[np.float32] = np.frombuffer(data, "<f4").reshape(found.shape)
    if logits.ndim not in RANKS or logits.shape[:2] != (policies, images):
        raise ValueError(f"logits of shape {logits.shape}")
    digests = tuple(hashlib.sha256(of_one.tobytes()).hexdigest() for of_one in logits)
    if digests != found.checksums:
        raise ValueError("the checksum of the logits differs")
    return logits.astype(np.float32, copy=False)
