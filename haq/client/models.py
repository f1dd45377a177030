"""Weights on the server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from haq.client._base import Part, path_of
from haq.client.answers import Model, read_model, read_models
from haq.digest import sha256_of, to_header
from haq.names import Padding
from quant.errors import ModelError

CHECKED_S = 180.0
"""The server loads the weights and traces the network before it answers."""


class Models(Part):
    """The client's methods about them."""

    def models(self) -> Sequence[Model]:
        """All that were uploaded."""
        return self._connection.get(path_of("models"), read_models)

    def upload_model(
        self,
        path: Path,
        name: str,
        architecture: str = "mbv2",
        input_size: int = 32,
        padding: Padding = "torch",
    ) -> Model:
        """Give the server a safetensors file with torchvision's key names.

        Raises ServerError, and ModelError where the file cannot be read.
        """
        declared = {"name": name, "architecture": architecture}
        declared |= {"input_size": str(input_size), "padding": padding}
        try:
            headers = {
                "Content-Type": "application/octet-stream",
                "Repr-Digest": to_header(sha256_of(path)),
            }
            return self._connection.send(
                path_of("models"), read_model, path, headers, declared, CHECKED_S
            )
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}") from None
