"""What goes over the wire between client and agent."""

from __future__ import annotations

import json
from typing import Any

import httpx2


class Wire(httpx2.BaseTransport):
    """Counts the bytes of requests and answers, headers included, and keeps the last answer."""

    def __init__(self) -> None:
        self._inner = httpx2.HTTPTransport()
        self.sent_bytes = self.received_bytes = 0
        self.answers: dict[str, Any] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass a request on."""
        self.sent_bytes += head_bytes(request.headers) + len(request.read())
        response = self._inner.handle_request(request)
        body = response.read()
        self.received_bytes += head_bytes(response.headers) + len(body)
        if body:
            self.answers[request.url.path] = json.loads(body)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def head_bytes(headers: httpx2.Headers) -> int:
    """Size of headers with their separators; the first line is about as long as one more."""
    return sum(len(name) + len(value) + 4 for name, value in headers.raw) + 80
