from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from haq.own_function import blaming, import_function, is_function_name
from quant.errors import InputError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.startswith("own_"):
            del sys.modules[name]


def refuse(name: str, match: str) -> None:
    with pytest.raises(InputError, match=match) as raised:
        import_function(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["a:b", "package.module:loader", "_a.b2:C"])
def test_names_of_functions(name: str) -> None:
    assert is_function_name(name)


@pytest.mark.parametrize(
    "text", ["a", "a:", ":b", "a.b", "a:b:c", "a/b:c", "a:0-9", "a.:b", "a:b.c", "/a:b", "a:b\n"]
)
def test_other_texts(text: str) -> None:
    assert not is_function_name(text)


def test_a_function_in_the_working_directory(here: Path) -> None:
    (here / "own_pack").mkdir()
    (here / "own_pack" / "deep.py").write_text("def five():\n    return 5\n")
    assert import_function("own_pack.deep:five")() == 5


def test_a_function_that_is_installed() -> None:
    assert import_function("json:dumps")([1]) == "[1]"


def test_what_is_not_there_is_named(here: Path) -> None:
    (here / "own_thing.py").write_text("number = 3\n")
    refuse("own_absent:f", "own_absent:f cannot be imported: .*No module named 'own_absent'")
    refuse("own_thing:f", "own_thing:f: own_thing has no function f")
    refuse("own_thing:number", "has no function number")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", r"ZeroDivisionError: division by zero \(own_bad.py:1\)"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def f(:", "SyntaxError"),
        ("import own_not_there", "No module named 'own_not_there'"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
    ],
)
def test_a_module_that_fails_is_one_line(here: Path, code: str, reason: str) -> None:
    (here / "own_bad.py").write_text(code + "\n")
    refuse("own_bad:f", f"own_bad:f cannot be imported: .*{reason}")


def test_blame_keeps_the_cause() -> None:
    with pytest.raises(InputError, match="x failed: KeyError: 'a'") as raised, blaming("x"):
        raise KeyError("a")
    assert isinstance(raised.value.__cause__, KeyError)


def test_an_interrupt_is_nobodys_fault() -> None:
    with pytest.raises(KeyboardInterrupt), blaming("x"):
        raise KeyboardInterrupt
