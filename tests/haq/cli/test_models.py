from __future__ import annotations

import pytest

from tests.haq.cli.program import haq
from tests.haq.zoo.published import PUBLISHED


def test_the_counts_as_one_line() -> None:
    done = haq("models", "--json")
    assert done.code == 0
    assert len(done.out.splitlines()) == 1
    found = {row.pop("name"): row for row in done.result}
    assert found.pop("mbv2_seg") == {"params": 94_984, "macs": 10_965_504, "layers": 28}
    assert found == {
        name: {"params": one.params, "macs": one.macs, "layers": one.layers}
        for name, one in PUBLISHED.items()
    }


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haq.zoo.sources.find_spec", lambda name: object())
    done = haq("models")
    assert done.code == 0
    rows = {words[0]: words[1:] for words in map(str.split, done.out.splitlines()[1:])}
    assert rows.keys() == {*PUBLISHED, "mbv2_seg"}
    assert rows["mbv2_seg"] == ["0.4", "11", "28", "94,984", "64", "packaged"]
    assert rows["mbv2"] == ["14.0", "301", "53", "3,504,872", "32", "packaged"]
    assert rows["resnet50"] == ["102.2", "4,089", "54", "25,557,032", "224", "random"]
    assert rows["lite0"][-1] == "installed"
