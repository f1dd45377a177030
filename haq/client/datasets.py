"""Folders of images on the server."""

from __future__ import annotations

from collections.abc import Sequence

from haq.client._base import Part, path_of
from haq.client.answers import Dataset, read_dataset, read_datasets


class Datasets(Part):
    """The client's methods about them."""

    def datasets(self) -> Sequence[Dataset]:
        """All that were registered; `sample` is there without."""
        return self._connection.get(path_of("datasets"), read_datasets)

    def register_dataset(self, name: str, path: str) -> Dataset:
        """Give a folder of the server a name; it lies below a root that its operator allows."""
        body = {"name": name, "path": path}
        return self._connection.post(path_of("datasets"), read_dataset, body)
