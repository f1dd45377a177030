from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from device_agent.measuring.infer import normalise as normalise_on_board
from device_agent.settings import Settings
from device_agent.web.service import create_app
from haq.board import Board
from haq.board_evaluator import BoardEvaluator
from haq.data import normalise
from haq.evaluators import make_evaluator
from quant.errors import DataError, PolicyError
from quant.ncnn.runtime import capabilities
from quant.policy import uniform
from tests.haq.subjects import cropped, small_subject

KEY = "a key"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    app = create_app(Settings(key=SecretStr(KEY), data_dir=tmp_path))
    with TestClient(app) as client, Board("http://board.test", KEY, client._transport) as found:
        yield found


def test_the_board_agrees_with_the_simulation(board: Board) -> None:
    subject, images = small_subject(), cropped("test", 40)
    names = subject.network.graph.layer_names
    policies = [uniform(names, bits, bits) for bits in (32, 8)]
    on_board = BoardEvaluator(subject, images, board)
    here = make_evaluator(subject, images, capabilities(), "ncnn")
    floats, eights = on_board.score(policies)
    assert (floats.kl, floats.agreement, floats.images) == (0.0, 1.0, 40)
    assert on_board.float_top1 == here.float_top1 == floats.top1
    assert eights.kl == pytest.approx(here.score(policies)[1].kl, rel=0.5)
    assert eights.kl > 0


def test_images_and_policies_that_do_not_fit_are_refused(board: Board) -> None:
    subject = small_subject()
    with pytest.raises(DataError, match="the network takes"):
        BoardEvaluator(subject, cropped("test", 4).padded(20), board)
    evaluator = BoardEvaluator(subject, cropped("test", 4), board)
    with pytest.raises(PolicyError):
        evaluator.score([uniform(subject.network.graph.layer_names, 4, 8)])


def test_pixels_are_normalised_on_the_board_as_here() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    np.testing.assert_array_equal(normalise_on_board(pixels, 127.5, 1.0), normalise(pixels))
