"""Three roles, each of which may do what those before it may."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["read", "run", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
READING = frozenset({"GET", "HEAD", "OPTIONS"})
ADMIN_PATHS = ("/v1/keys", "/v1/audit", "/keys")
ADMIN_CHANGES = ("/v1/boards",)


def may(role: Role, needed: Role) -> bool:
    """Whether a role includes another."""
    return ROLES.index(role) >= ROLES.index(needed)


def needed_role(method: str, path: str) -> Role:
    """What a request takes: to look, to have something done, or to change who may do what."""
    reads = method in READING
    if is_below(path, ADMIN_PATHS) or (not reads and is_below(path, ADMIN_CHANGES)):
        return "admin"
    return "read" if reads else "run"


def is_below(path: str, places: tuple[str, ...]) -> bool:
    """Whether a path is one of these or lies under one."""
    return any(path == place or path.startswith(f"{place}/") for place in places)
