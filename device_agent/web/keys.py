"""Who has which key: names and SHA-256 digests, never the keys themselves."""

from __future__ import annotations

import hmac
from pathlib import Path

from pydantic import SecretStr

from device_agent.web.keys_file import DEFAULT_NAME, digest_of, read_keys
from device_agent.web.logs import log
from quant.errors import InputError

Stamp = tuple[int, int, int, int] | None


class Keys:
    """The keys that open the agent: one of the settings, and those of a file.

    The file is read again whenever it changes. A file that can no longer be understood leaves the
    last good keys in force; a file that is gone takes its keys with it.
    """

    def __init__(self, key: SecretStr | None, path: Path | None) -> None:
        """Raises InputError where the file is missing or malformed."""
        self.is_required = key is not None or path is not None
        self._own = {} if key is None else {DEFAULT_NAME: digest_of(encode(key))}
        self._path = path
        self._stamp = None if path is None else stamp_of(path)
        self._filed = {} if path is None else read_keys(path)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the keys in force."""
        return (*self._own, *self._filed)

    def name_of(self, presented: bytes) -> str | None:
        """The name of a key, or None; takes the same time whichever key it is, or none.

        The empty key is nobody's, even if its digest is in the file.
        """
        self._refresh()
        given, found = digest_of(presented), None
        for name, digest in (*self._own.items(), *self._filed.items()):
            if hmac.compare_digest(given, digest):
                found = name
        return found if presented else None

    def _refresh(self) -> None:
        if self._path is None or (stamp := stamp_of(self._path)) == self._stamp:
            return
        self._stamp = stamp
        try:
            self._filed = {} if stamp is None else read_keys(self._path)
        except InputError as error:
            log.error("keys file not understood, the last good keys stay", reason=str(error))
        else:
            log.info("keys read", names=self.names)


def encode(key: SecretStr) -> bytes:
    """A key as it arrives in a header."""
    return key.get_secret_value().encode()


def stamp_of(path: Path) -> Stamp:
    """What changes when a file does, or None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
