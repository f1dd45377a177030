"""Browsers that have shown a key: a cookie with its name and an end, signed."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from haq.store.durable import replace
from haq.store.run_folder import read_bytes

COOKIE = "haq_session"
SECRET_BYTES = 32


class Sessions:
    """Signs and checks cookies. What signs them is in a file, so that they outlive the server."""

    def __init__(self, secret: bytes, lifetime_s: float, clock: Callable[[], float] = time.time):
        self._secret, self._clock = secret, clock
        self.lifetime_s = lifetime_s

    def issue(self, key_name: str) -> str:
        """A cookie for who has shown a key."""
        text = f"{key_name}:{int(self._clock() + self.lifetime_s)}"
        return f"{text}:{self._sign(text)}"

    def name_in(self, cookie: str) -> str | None:
        """The name of the key that was shown; None for what was not issued here, or is over."""
        text, _, signature = cookie.rpartition(":")
        name, _, until = text.rpartition(":")
        if not hmac.compare_digest(signature.encode(), self._sign(text).encode()):
            return None
        return name if int(until) > self._clock() else None

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), "sha256").hexdigest()


def load_secret(file: Path) -> bytes:
    """The secret of a file, made where there is none. Raises InputError, StorageError."""
    if not file.exists():
        replace(file, secrets.token_bytes(SECRET_BYTES))
    file.chmod(0o600)
    return read_bytes(file)
