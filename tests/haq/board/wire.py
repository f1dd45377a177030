"""Servers that answer with raw bytes, or stop in the middle of them."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[socket.socket], None]
"""What a server does with a connection whose request it has read."""
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass
class RawServer:
    """`heads` are the requests that came, without their bodies."""

    port: int
    heads: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(*answers: Answer) -> Iterator[RawServer]:
    """Each connection gets the next of the answers, the last one again and again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = RawServer(listener.getsockname()[1])
        thread = threading.Thread(target=serve, args=(listener, server, answers), daemon=True)
        thread.start()
        yield server
        # Closing alone does not wake a thread that waits in accept.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def serve(listener: socket.socket, server: RawServer, answers: tuple[Answer, ...]) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                server.heads.append(read_request(connection))
                answers[min(len(server.heads), len(answers)) - 1](connection)


def read_request(connection: socket.socket) -> bytes:
    """The head of a request; its body is read and dropped."""
    head, _, body = read_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0].split(b":")[1]) - len(body) if lengths else 0
    while left > 0:
        left -= len(connection.recv(left)) or left
    return head


def read_until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data and (part := connection.recv(65536)):
        data += part
    return data


def sending(data: bytes) -> Answer:
    """Send this, then close."""
    return lambda connection: connection.sendall(data)


def answering(body: bytes, head: bytes = OK) -> Answer:
    """A whole answer."""
    return sending(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)


def resetting(data: bytes) -> Answer:
    """Send this, then reset the connection."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return answer


def silent(connection: socket.socket) -> None:
    """Answer nothing until the client goes away."""
    connection.recv(1)
