"""Requests to one server: bounded answers, typed errors, and a few more attempts when it is lost.

A POST has an idempotency key that is the same in every attempt, so the server does it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx2
import stamina

from haq.board import address
from haq.board.connection import parse
from haq.client.failures import (
    ServerInvalidError,
    ServerLostError,
    ServerUnknownError,
    foreign,
    from_answer,
    from_transport,
    is_passing,
)
from quant.errors import InputError

CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 60.0
ANSWER_BYTES = 16 * 2**20
PROBLEM_BYTES = 2**16
ATTEMPTS = 4
T = TypeVar("T")

persistent = stamina.RetryingCaller(
    attempts=ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=5.0, wait_jitter=1.0
).on(is_passing)
"""Calls a function again after a failure that may be over in a moment."""


class Connection:
    """One server, and the key for it."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        ca: Path | None = None,
        transport: httpx2.BaseTransport | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """As for `Client`. Raises InputError."""
        self.url, self.timeout_s = check_url(url), timeout_s
        # trust_env off: a proxy of the environment must not see the key.
        self._client = httpx2.Client(
            base_url=self.url,
            headers={"Accept-Encoding": "identity", **authorization(key)},
            trust_env=False,
            follow_redirects=False,
            transport=transport or address.make_transport(ca, None),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(
        self, path: str, read: Callable[[Any], T], params: Mapping[str, Any] | None = None
    ) -> T:
        """What a reader makes of an answer; parameters that are None are left out."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        return persistent(self._ask, "GET", path, read, params=given)

    def post(self, path: str, read: Callable[[Any], T], body: Any = None) -> T:
        """The same for a request that changes something, which is done once."""
        return persistent(self._ask, "POST", path, read, headers=once(), json=body)

    def send(
        self,
        path: str,
        read: Callable[[Any], T],
        file: Path,
        headers: Mapping[str, str],
        params: Mapping[str, Any],
        timeout_s: float,
    ) -> T:
        """As `post`, with the bytes of a file, read anew by each attempt. Raises OSError."""
        marked = {**headers, **once()}

        def attempt() -> T:
            with file.open("rb") as stream:
                given = {"headers": marked, "params": params, "content": stream}
                return self._ask("POST", path, read, timeout_s=timeout_s, **given)

        return persistent(attempt)

    def delete(self, path: str) -> None:
        """Remove something; it may be gone already where the answer to that was lost."""
        lost = False

        def attempt() -> None:
            nonlocal lost
            try:
                self._ask("DELETE", path, lambda answer: None)
            except ServerLostError:
                lost = True
                raise
            except ServerUnknownError:
                if not lost:
                    raise

        persistent(attempt)

    @contextmanager
    def open(
        self, method: str, path: str, timeout_s: float | None = None, **content: Any
    ) -> Iterator[httpx2.Response]:
        """An answer whose body is read in the block; nothing may come for `timeout_s`.

        Raises ServerError, also for a loss within the block.
        """
        timeout = httpx2.Timeout(timeout_s or self.timeout_s, connect=CONNECT_TIMEOUT_S)
        begun = False
        try:
            with self._client.stream(method, path, timeout=timeout, **content) as response:
                begun = True
                if not response.is_success:
                    body = self._read(response, PROBLEM_BYTES, timeout_s)
                    raise from_answer(self.url, response.status_code, response.headers, body)
                yield response
        except httpx2.HTTPError as error:
            raise from_transport(self.url, error, begun) from None

    def understand(self, read: Callable[[Any], T], answer: Any) -> T:
        """What a reader makes of an answer. Raises ServerInvalidError for something else."""
        try:
            return read(answer)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise foreign(self.url) from None

    def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[Any], T],
        timeout_s: float | None = None,
        **content: Any,
    ) -> T:
        with self.open(method, path, timeout_s, **content) as response:
            body = self._read(response, ANSWER_BYTES, timeout_s)
        return self.understand(lambda found: read(parse(found)), body)

    def _read(self, response: httpx2.Response, limit_bytes: int, timeout_s: float | None) -> bytes:
        deadline = time.monotonic() + (timeout_s or self.timeout_s)
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > limit_bytes:
                raise ServerInvalidError(f"what {self.url} answers is over {limit_bytes} bytes")
            if time.monotonic() > deadline:
                raise ServerLostError(f"the server at {self.url} did not answer in time")
        return bytes(body)


def once() -> dict[str, str]:
    """The header by which the server knows a request that it has carried out already."""
    return {"Idempotency-Key": uuid4().hex}


def check_url(url: str) -> str:
    """The URL without a slash at its end. Raises InputError; it may hold a password."""
    try:
        return address.check_url(url)
    except InputError:
        raise InputError(
            "a server's address is expected as http://HOST:PORT, without a name or password"
        ) from None


def authorization(key: str | None) -> dict[str, str]:
    """The header that carries the key. Raises InputError."""
    if key and not (key.isascii() and key.isprintable()):
        raise InputError("the server's key may only have printable ASCII characters")
    return {"Authorization": f"Bearer {key}"} if key else {}
