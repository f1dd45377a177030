from __future__ import annotations

import json
from pathlib import Path

import pytest

from haq.policies import read_policy
from quant.errors import InputError, PolicyError
from quant.policy import Bits, Policy, uniform

NAMES = ("stem", "middle", "last")


def refuse(text: str, kind: type[InputError], match: str) -> None:
    with pytest.raises(kind, match=match) as raised:
        read_policy(text, NAMES)
    assert "\n" not in str(raised.value)


def test_short_names() -> None:
    assert read_policy("16", NAMES) == uniform(NAMES, 16, 16)
    assert read_policy("w4a6", NAMES) == uniform(NAMES, 4, 6, ends=8)


def test_a_file(tmp_path: Path) -> None:
    policy = Policy({name: Bits(8, 8) for name in NAMES}).replace("middle", Bits(4, 6))
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy.to_json()))
    assert read_policy(str(path), NAMES) == policy


def test_a_file_named_like_no_short_name_comes_from_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("8.json").write_text(json.dumps(uniform(NAMES, 32, 32).to_json()))
    assert read_policy("8.json", NAMES) == uniform(NAMES, 32, 32)


@pytest.mark.parametrize("text", ["9", "int8", "w4", "w4a", "absent.json"])
def test_neither_name_nor_file(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refuse(text, PolicyError, "no policy '.*': give a file, or 8, 16, 32 or wNaM")


@pytest.mark.parametrize("text", ["w9a8", "w4a1", "w0a0", "w99a99"])
def test_bits_that_nobody_has(text: str) -> None:
    refuse(text, PolicyError, "bits are not supported")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"{'layers': 1}"])
def test_a_broken_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_bytes(content)
    refuse(str(tmp_path / "policy.json"), InputError, r"policy\.json is not readable JSON")


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    refuse(str(tmp_path), InputError, "is not readable JSON")


def test_other_layers_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(uniform(("stem", "other"), 8, 8).to_json()))
    refuse(str(path), PolicyError, r"2 layers missing \['middle', 'last'\], 1 unknown \['other'\]")


def test_a_name_that_no_file_can_have_is_no_policy() -> None:
    with pytest.raises(PolicyError, match="no policy 'aaaa"):
        read_policy("a" * 5000, NAMES)


def write_pairs(path: Path, pairs: object) -> str:
    path.write_text(json.dumps(pairs))
    return str(path)


def test_haqs_list_of_pairs_in_the_order_of_the_layers(tmp_path: Path) -> None:
    text = write_pairs(tmp_path / "haq.json", [[8, -1], [4, 6], [2, 8]])
    bits = (Bits(8, 8), Bits(4, 6), Bits(2, 8))
    assert read_policy(text, NAMES) == Policy(dict(zip(NAMES, bits, strict=True)))


@pytest.mark.parametrize(
    ("pairs", "match"),
    [
        ([], "the policy lists 0 layers, but the network has 3"),
        ([[8, 8]] * 4, "the policy lists 4 layers, but the network has 3"),
        ([[8, 8], [8, -1], [8, 8]], "layer middle: -1 bits are not supported"),
        ([[-1, 8], [8, 8], [8, 8]], "layer stem: -1 bits are not supported"),
        ([[8, 8], [8, 9], [8, 8]], "layer middle: 9 bits are not supported"),
        ([[8, 8], [8], [8, 8]], r"layer middle: expected \[weight bits, activation bits\], got"),
        ([[8, 8], [8, 8, 8], [8, 8]], r"layer middle: expected \[weight bits"),
        ([[8, 8], 8, [8, 8]], r"layer middle: expected \[weight bits, activation bits\], got 8"),
        ([[8, 8], [8, 8], [8.0, 8]], r"layer last: expected \[weight bits"),
        ([[8, 8], [8, 8], [True, 8]], r"layer last: expected \[weight bits"),
        ([[8, 8], [8, 8], {"weight": 8, "activation": 8}], r"layer last: expected \[weight bits"),
    ],
)
def test_other_lists_are_one_line(pairs: object, match: str, tmp_path: Path) -> None:
    refuse(write_pairs(tmp_path / "haq.json", pairs), PolicyError, match)
