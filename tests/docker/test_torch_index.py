from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.docker.torch_index import VARIABLE, torch_args


def test_the_dockerfiles_own_index_is_taken_where_none_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with torch_args() as args:
        assert args == {}


def test_an_index_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "https://index.example/cpu")
    with torch_args() as args:
        assert args == {"TORCH_INDEX": "https://index.example/cpu"}


def test_a_folder_of_wheels_is_served_as_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch-2.13.0-py3-none-any.whl").write_bytes(b"a wheel")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with torch_args() as args, urlopen(f"{args[VARIABLE]}/torch/") as page:
        assert 'href="torch-2.13.0-py3-none-any.whl"' in page.read().decode()
        with urlopen(f"{args[VARIABLE]}/torch/torch-2.13.0-py3-none-any.whl") as wheel:
            assert wheel.read() == b"a wheel"
