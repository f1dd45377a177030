"""Networks on the server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from haq.client._base import Part, path_of
from haq.client.answers import Model, read_model, read_models
from haq.digest import sha256_of, to_header
from haq.names import MODEL_FILES, Padding
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
        architecture: str | None = None,
        input_size: int | None = None,
        padding: Padding | None = None,
    ) -> Model:
        """Give the server an ONNX file, one of torch.export.save (.pt2), or safetensors weights.

        These are of an architecture, mbv2 where none is named, with its published key names.
        Raises ServerError, and ModelError where the file cannot be read.
        """
        suffix = path.suffix.removeprefix(".")
        kind = architecture or (suffix if suffix in MODEL_FILES else "mbv2")
        given = {"name": name, "architecture": kind, "input_size": input_size, "padding": padding}
        declared = {option: str(value) for option, value in given.items() if value is not None}
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
