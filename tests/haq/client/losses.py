"""Connections that are lost, at a place of one's choice."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2


class Losing(httpx2.BaseTransport):
    """Real connections, of which the first answers never arrive: the server has done its part."""

    def __init__(self, losses: int = 1) -> None:
        self._inner, self._left = httpx2.HTTPTransport(), losses
        self.requests: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        response = self._inner.handle_request(request)
        if self._left:
            self._left -= 1
            response.read()
            response.close()
            raise httpx2.ReadError("lost on the way")
        return response

    def close(self) -> None:
        self._inner.close()


class Cutting(httpx2.BaseTransport):
    """Real connections, that break after so many bytes of the body; the last one lasts."""

    def __init__(self, *after_bytes: int) -> None:
        self._inner, self._cuts = httpx2.HTTPTransport(), list(after_bytes)
        self.requests: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        response = self._inner.handle_request(request)
        if self._cuts:
            assert isinstance(response.stream, httpx2.SyncByteStream)
            response.stream = Cut(response.stream, self._cuts.pop(0))
        return response

    def close(self) -> None:
        self._inner.close()


class Cut(httpx2.SyncByteStream):
    """The beginning of a body."""

    def __init__(self, inner: httpx2.SyncByteStream, after_bytes: int) -> None:
        self._inner, self._left = inner, after_bytes

    def __iter__(self) -> Iterator[bytes]:
        for part in self._inner:
            yield part[: self._left]
            self._left -= len(part)
            if self._left <= 0:
                raise httpx2.ReadError("cut")

    def close(self) -> None:
        self._inner.close()
