"""Boards: the client of a device agent, several boards at once, and what they answer."""

from haq.board._base import AnyBoard, OneBoard
from haq.board.address import check_url
from haq.board.answers import (
    Device,
    Latency,
    Profile,
    ProfileCheck,
    Status,
    profile_to_json,
    read_latencies,
    read_profile,
)
from haq.board.client import Board
from haq.board.fleet import Fleet

__all__ = [
    "AnyBoard",
    "Board",
    "Device",
    "Fleet",
    "Latency",
    "OneBoard",
    "Profile",
    "ProfileCheck",
    "Status",
    "check_url",
    "profile_to_json",
    "read_latencies",
    "read_profile",
]
