"""As much of HTTP as a bench needs, on bare sockets: the client is to cost next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from bench.api.server import KEY

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LARGEST_HEAD = 2**16


def request(path: str) -> bytes:
    """A GET that keeps its connection."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()


async def connect(port: int) -> Streams:
    """A connection to this machine."""
    return await asyncio.open_connection("127.0.0.1", port, limit=LARGEST_HEAD)


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes]]:
    """Status and fields."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in lines if line)
    return int(first.split()[1]), fields


@dataclass
class Connection:
    """One of the connections on which reads are made, one after the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        self.writer.write(request(path))
        status, fields = await read_head(self.reader)
        return status, await self.reader.readexactly(int(fields[b"content-length"]))


async def chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The parts of a body whose length nobody knows."""
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)


async def close(writer: asyncio.StreamWriter) -> None:
    """Leave, whatever the other end thinks of that."""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
