"""What a browser sends of a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request

from quant.errors import InputError

MOST_FIELDS = 200


@dataclass(frozen=True)
class Form:
    """All values of each field, in order."""

    values: Mapping[str, list[str]]

    def get(self, name: str, default: str = "") -> str:
        """The first value of a field, without blanks around it."""
        return (self.values.get(name) or [default])[0].strip()

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return self.values.get(name, [])


async def read_form(request: Request) -> Form:
    """The fields of a body. Raises InputError."""
    try:
        text = (await request.body()).decode("utf-8")
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise InputError("this form cannot be read: send it again") from None


TheForm = Annotated[Form, Depends(read_form)]
