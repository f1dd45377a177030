from __future__ import annotations

import anyio
import pytest
from fastapi import Request

from api.pages.forms import MOST_FIELDS, Form, read_form
from quant.errors import InputError


def read(body: bytes) -> Form:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    return anyio.run(read_form, Request({"type": "http", "headers": []}, receive))


def test_fields_are_read() -> None:
    form = read(b"a=1&b=+x%20&a=2&empty=")
    assert (form.get("a"), form.get("b"), form.get("empty"), form.all("a")) == (
        *("1", "x", ""),
        ["1", "2"],
    )


def test_what_is_not_there_is_empty() -> None:
    form = Form({"none": []})
    assert (form.get("none"), form.get("other", "default"), form.all("other")) == (
        "",
        "default",
        [],
    )


@pytest.mark.parametrize("body", [b"\xff=1", b"&".join([b"a=1"] * (MOST_FIELDS + 1))])
def test_what_no_form_sends_is_refused(body: bytes) -> None:
    with pytest.raises(InputError):
        read(body)
