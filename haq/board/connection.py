"""Requests to one agent: bounded answers, typed errors, and a few more attempts when it is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import stamina

from haq.board.address import Pinned, check_url, make_transport
from haq.board.failures import StoppingError, foreign, from_answer, from_transport
from quant.errors import BoardInvalidError, BoardLostError, InputError

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 60.0
ANSWER_BYTES = 16 * 2**20
ATTEMPTS = 4
T = TypeVar("T")

persistent = stamina.RetryingCaller(
    attempts=ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=5.0, wait_jitter=1.0
).on((BoardLostError, StoppingError))
"""Calls a function again after a loss that may be over in a moment."""


class Connection:
    """One agent, its key, and where it may be reached."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        ca: Path | None = None,
        address: str | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """As for `Board`. Raises InputError."""
        self.url = check_url(url)
        if transport is not None and address is not None:
            transport = Pinned(transport, address)
        # trust_env off: a proxy of the environment must not see the key.
        self._client = httpx2.Client(
            base_url=self.url,
            headers={"Accept-Encoding": "identity", **authorization(key)},
            trust_env=False,
            follow_redirects=False,
            transport=transport or make_transport(ca, address),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """As `ask_once`, with more attempts: for requests that may be repeated."""
        return persistent(self.ask_once, method, path, **options)

    def ask_once(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float = ANSWER_TIMEOUT_S,
        limit_bytes: int = ANSWER_BYTES,
        **content: Any,
    ) -> Any:
        """The parsed JSON of the answer, or None for an empty one.

        Nothing may come for `timeout_s`, and the answer may have `limit_bytes`; `content` is what
        httpx2 takes. Raises BoardLostError, BoardBusyError, BoardRefusedError, BoardInvalidError,
        and BoardError for a failure of the agent.
        """
        timeout = httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        begun = False
        try:
            with self._client.stream(method, path, timeout=timeout, **content) as response:
                begun = True
                deadline = time.monotonic() + timeout_s
                body = self._read(response.iter_bytes(), limit_bytes, deadline)
        except httpx2.HTTPError as error:
            raise from_transport(self.url, error, begun) from None
        if not response.is_success:
            raise from_answer(self.url, response.status_code, body)
        return self.understand(parse, body)

    def understand(self, read: Callable[[Any], T], answer: Any) -> T:
        """What a reader makes of an answer. Raises BoardInvalidError where it is something else."""
        try:
            return read(answer)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise foreign(self.url) from None

    def _read(self, parts: Iterable[bytes], limit_bytes: int, deadline: float) -> bytes:
        body = bytearray()
        for part in parts:
            body += part
            if len(body) > limit_bytes:
                raise BoardInvalidError(f"what {self.url} answers is over {limit_bytes} bytes")
            if time.monotonic() > deadline:
                raise BoardLostError(f"the device agent at {self.url} did not answer in time")
        return bytes(body)


def parse(body: bytes) -> Any:
    """JSON without NaN and infinities; None for no bytes. Raises ValueError."""
    return json.loads(body, parse_constant=refuse) if body else None


def refuse(constant: str) -> None:
    """Raises ValueError: these are no JSON."""
    raise ValueError(constant)


def authorization(key: str | None) -> dict[str, str]:
    """The header that carries the key. Raises InputError."""
    if key and not (key.isascii() and key.isprintable()):
        raise InputError("the board's key may only have printable ASCII characters")
    return {"Authorization": f"Bearer {key}"} if key else {}
