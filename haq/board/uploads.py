"""What an agent was given: files by their content, and the float network made of two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from device_agent.models.shapes import check_shapes
from haq.board.connection import Connection
from haq.board.failures import AbsentError
from quant.errors import BoardInvalidError
from quant.ncnn.build import dump
from quant.ncnn.format import NcnnLayer


@dataclass(frozen=True)
class FloatNetwork:
    """A network as it is uploaded; `logits` is how many numbers it puts out."""

    param: bytes
    weights: bytes
    ranges: Mapping[str, float]
    input_shape: tuple[int, int, int]
    logits: int


class Uploads:
    """Sends what the agent does not have, and sends it again when the agent has lost it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._network: FloatNetwork | None = None
        self._id: str | None = None

    @property
    def network(self) -> FloatNetwork:
        """The network of all jobs. Raises BoardInvalidError before one was chosen."""
        if self._network is None:
            raise BoardInvalidError("the board has no network to measure: upload one first")
        return self._network

    def choose(
        self,
        layers: Sequence[NcnnLayer],
        ranges: Mapping[str, float],
        input_shape: tuple[int, int, int],
    ) -> None:
        """Make this the network of all jobs; it is sent when its id is asked for.

        Raises FormatError for one that an agent would refuse for its size.
        """
        param, weights = dump(layers)
        logits = prod(check_shapes(layers, input_shape))
        self._network = FloatNetwork(param.encode(), weights, dict(ranges), input_shape, logits)
        self._id = None

    def network_id(self) -> str:
        """The agent's id of the network, which is sent unless the agent is known to have it."""
        if self._id is None:
            self._id = self._register(self.network)
        return self._id

    def forget(self) -> None:
        """The agent has lost files: look again before the next job."""
        self._id = None

    def put(self, data: bytes) -> str:
        """SHA-256 of bytes that the agent has afterwards."""
        digest = hashlib.sha256(data).hexdigest()
        path = f"/v1/files/{digest}"
        try:
            self._connection.ask("HEAD", path)
        except AbsentError:
            self._connection.ask("PUT", path, content=data)
        return digest

    def _register(self, network: FloatNetwork) -> str:
        request = {
            "param": self.put(network.param),
            "bin": self.put(network.weights),
            "ranges": network.ranges,
            "input_shape": list(network.input_shape),
        }
        answer = self._connection.ask("POST", "/v1/networks", json=request)
        return self._connection.understand(lambda found: str(found["id"]), answer)
