from __future__ import annotations

from pathlib import Path

import pytest
import stamina

from haq.client import Client, ServerInvalidError
from haq.digest import sha256_of
from quant.errors import ModelError
from tests.haq.client.losses import Losing
from tests.haq.client.served import Served
from tests.haq.subjects import write_small_weights


def test_weights_are_uploaded_once_although_the_answer_is_lost(
    served: Served, client: Client, tmp_path: Path
) -> None:
    weights = write_small_weights(tmp_path / "weights.safetensors")
    unlucky = Losing()
    with (
        stamina.set_testing(True, attempts=2),
        served.client(transport=unlucky) as loser,
    ):
        made = loser.upload_model(weights, "small", input_size=16)
    assert (made.name, made.sha256, made.input_size) == ("small", sha256_of(weights), 16)
    assert client.models() == (made,)
    assert len(unlucky.requests) == 2
    assert unlucky.requests[0].headers["content-length"] == str(weights.stat().st_size)
    assert client.begin(model="small").spec.model == "small"


def test_what_is_no_network_is_refused(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(ServerInvalidError, match="answers 422"):
        client.upload_model(path, "small")
    assert client.models() == ()


def test_a_file_that_is_not_there(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="absent cannot be read: No such file"):
        client.upload_model(tmp_path / "absent", "small")
