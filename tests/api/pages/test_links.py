from __future__ import annotations

from starlette.requests import Request

from api.pages.links import changed


def query(text: str) -> Request:
    return Request({"type": "http", "query_string": text.encode(), "headers": []})


def test_other_names_stay() -> None:
    assert changed(query("y=top1&sort=kl"), sort="top1") == "?y=top1&sort=top1"


def test_none_and_what_is_empty_are_left_out() -> None:
    assert changed(query("origin=&offset=25&sort=kl"), offset=None) == "?sort=kl"
