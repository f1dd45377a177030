"""Where a board is: its URL, the one address that its name may lead to, and its certificate."""

from __future__ import annotations

import re
import socket
import ssl
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from quant.errors import InputError

UNSAFE = re.compile(r"[\s\x00-\x1f\x7f\\]")
"""Parsers of URLs disagree about these characters."""
IDLE_S, PROBE_S, PROBES = 15, 5, 4
"""A board without power sends nothing: after this silence it is probed until it counts as gone."""


def check_url(url: str) -> str:
    """The URL without a slash at its end. Raises InputError unless it is http(s) with a host."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        valid = valid and httpx2.URL(url).host == parts.hostname
    except (ValueError, httpx2.InvalidURL):
        valid = False
    if not valid or "@" in parts.netloc or "?" in url or "#" in url or UNSAFE.search(url):
        raise InputError(f"'{url}' is not a board's address: expected http://HOST:PORT")
    return url.rstrip("/")


def check_address(address: str) -> str:
    """An IP address as it is usually written, without an interface. Raises InputError."""
    try:
        if "%" not in address:
            return str(ip_address(address))
    except ValueError:
        pass
    raise InputError(f"'{address}' is not an IP address")


def leads_here(url: str, address: str | None = None) -> bool:
    """Whether a URL, or the one address that it may lead to, is this machine's loopback."""
    host = address or urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def resolve(url: str) -> list[str]:
    """The IP addresses that the URL's name has now. Raises InputError if it has none.

    Those of IPv6 that mean nothing without naming an interface are left out.
    """
    parts = urlsplit(check_url(url))
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    addresses = [str(place[0]) for *_, place in found if len(place) == 2 or not place[3]]
    if not addresses:
        raise InputError(f"'{parts.hostname}' is not the name of any machine: check {url}")
    return list(dict.fromkeys(addresses))


def make_transport(ca: Path | None, address: str | None) -> httpx2.BaseTransport:
    """Connections that are given up when the board is gone; see `Pinned` for the address."""
    verify = usual_trust() if ca is None else trust_only(ca)
    transport = httpx2.HTTPTransport(verify=verify, trust_env=False, socket_options=keepalive())
    return transport if address is None else Pinned(transport, address)


@cache
def usual_trust() -> ssl.SSLContext:
    """Certificates of the public authorities; reading them takes longer than asking a board."""
    return httpx2.create_ssl_context(trust_env=False)


def trust_only(ca: Path) -> ssl.SSLContext:
    """Certificates signed by those of a PEM file, and no others. Raises InputError."""
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise InputError(f"{ca} holds no certificates in PEM: {error.strerror or error}") from None


def keepalive() -> list[tuple[int, int, int]]:
    """Options of a socket, where the system has them."""
    wanted = {"TCP_KEEPIDLE": IDLE_S, "TCP_KEEPINTVL": PROBE_S, "TCP_KEEPCNT": PROBES}
    known = [
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in wanted.items()
        if hasattr(socket, name)
    ]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *known]


class Pinned(httpx2.BaseTransport):
    """Connects to one address whatever the URL's name means now.

    The name stays in the Host header and is the one that a certificate must have.
    """

    def __init__(self, inner: httpx2.BaseTransport, address: str) -> None:
        """Raises InputError unless `address` is an IP address."""
        self._inner, self._address = inner, check_address(address)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request to the address."""
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=self._address)
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
