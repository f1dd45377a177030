"""Which addresses belong to this machine alone."""

from __future__ import annotations

import ipaddress
import socket


def is_loopback(address: str) -> bool:
    """Whether a numeric address is a loopback one, IPv4 written as IPv6 included; names are not."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def is_loopback_host(host: str) -> bool:
    """Whether a server that listens on a host, by name or number, hears this machine alone.

    An empty host stands for every address; a name must have loopback addresses only.
    """
    return is_loopback(host) or (bool(host) and all_loopback(host))


def all_loopback(name: str) -> bool:
    """Whether a name has addresses, all of them loopback ones."""
    try:
        found = socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(is_loopback(str(entry[4][0])) for entry in found)
