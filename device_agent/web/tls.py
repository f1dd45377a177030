"""Certificates for https."""

from __future__ import annotations

import ssl
from pathlib import Path

from quant.errors import InputError


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with a certificate (and its chain) and its key, both PEM.

    Raises InputError where a file cannot be read, the key has a password, or they do not fit.
    """
    for path in (certificate, key):
        check_readable(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, refuse_password)
    except ssl.SSLError as error:
        reason = (error.reason or "not PEM").replace("_", " ").lower()
        raise InputError(
            f"the TLS certificate {certificate} and key {key} cannot be used: {reason}"
        ) from None
    return context


def check_readable(path: Path) -> None:
    """Raise InputError for a file that cannot be read."""
    try:
        path.read_bytes()
    except OSError as error:
        raise InputError(f"the TLS file {path} cannot be read: {error.strerror}") from None


def refuse_password() -> str:
    """Called for an encrypted key, which would else be asked for on the terminal."""
    raise InputError("the TLS key has a password: give one without")
