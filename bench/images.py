"""Images that the networks of the zoo are searched on."""

from __future__ import annotations

from haq.names import NetworkName

FACES: frozenset[NetworkName] = frozenset({"mbv2_seg"})
"""Networks that the packaged pictures of clothes are not for."""


def images_for(name: NetworkName) -> str:
    """What --data says for a network."""
    return "faces" if name in FACES else "sample"
