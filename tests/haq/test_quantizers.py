from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from haq.data import Images
from haq.names import QuantizerName
from haq.progress import Silent
from haq.quantizers import cache_folder, make_quantizer
from quant.naive import NaiveQuantizer
from quant.policy import Policy, from_short_name
from quant.quantized import Quantizer
from tests.haq.subjects import cropped, small_subject


def policy() -> Policy:
    found = from_short_name("w4a6", small_subject().network.graph.layer_names)
    assert found is not None
    return found


def make(name: QuantizerName, cache: Path, images: Images | None = None) -> Quantizer:
    shown = images or cropped("calibration", 20)
    return make_quantizer(name, small_subject(), shown, "simulated", Silent(), cache)


def refuse(*given: object, **named: object) -> None:
    raise AssertionError("made again")


@pytest.mark.parametrize(
    ("name", "work"), [("table", "make_tables"), ("best", "quantize_in_sequence")]
)
def test_what_was_made_is_kept_and_found(
    name: QuantizerName, work: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(name, tmp_path).layers(policy())
    monkeypatch.setattr(f"haq.quantizers.{work}", refuse)
    found = make(name, tmp_path).layers(policy())
    for layer, one in made.items():
        assert np.array_equal(one.weight, found[layer].weight)
        assert np.array_equal(one.bias, found[layer].bias)
    with pytest.raises(AssertionError, match="made again"):
        make(name, tmp_path, cropped("calibration", 19)).layers(policy())


def test_a_broken_cache_is_made_anew(tmp_path: Path) -> None:
    made = make("best", tmp_path).layers(policy())
    for file in tmp_path.rglob("*.*"):
        if file.is_file():
            file.write_bytes(b"broken")
    again = make("best", tmp_path).layers(policy())
    assert all(np.array_equal(one.weight, again[n].weight) for n, one in made.items())


@pytest.mark.parametrize("name", ["best", "table", "naive"])
def test_in_ncnns_arithmetic_the_engine_rounds(name: QuantizerName, tmp_path: Path) -> None:
    made = make_quantizer(
        name, small_subject(), cropped("calibration", 20), "ncnn", Silent(), tmp_path
    )
    assert isinstance(made, NaiveQuantizer)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_where_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAQ_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("HAQ_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "there"))
    assert cache_folder() == tmp_path / "there" / "haq"
