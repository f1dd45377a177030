from __future__ import annotations

from pathlib import Path

import pytest

from api.workers.layers import layers_file, read_layers, write_layers
from haq import prepare
from haq.search.asked import Asked, make_request

REQUEST = make_request(Asked())


def test_the_layers_of_the_packaged_network(tmp_path: Path) -> None:
    file = layers_file(tmp_path, "ab")
    write_layers(file, REQUEST)
    found = read_layers(file)
    assert len(found) == 53
    assert (found[0].name, found[0].parameters) == ("features.0.0", 32 * 9 + 32)
    assert found[0].macs == 32 * 9 * 32 * 32


def test_a_network_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = layers_file(tmp_path, "ab")
    write_layers(file, REQUEST)
    monkeypatch.setattr(prepare, "load_graph", None)
    write_layers(file, REQUEST)
    with pytest.raises(TypeError):
        write_layers(layers_file(tmp_path, "cd"), REQUEST)


def test_before_a_search_has_begun_nothing_is_known(tmp_path: Path) -> None:
    assert read_layers(layers_file(tmp_path, "ab")) == []
