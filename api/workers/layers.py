"""How large the layers of a search's network are: written where torch is, read where it is not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from haq.search.request import SearchRequest
from haq.store.run_folder import make_folder, read_json, write_json


@dataclass(frozen=True)
class LayerSize:
    """A layer's weights with its biases, and its multiply-accumulates for one image."""

    name: str
    parameters: int
    macs: int


def layers_file(data_dir: Path, job_id: str) -> Path:
    """Where those of a search are kept."""
    return data_dir / "layers" / f"{job_id}.json"


def write_layers(file: Path, request: SearchRequest) -> None:
    """Look at the network of a search, unless that was done. Raises ModelError, StorageError."""
    from haq.prepare import load_graph

    if not file.is_file():
        graph = load_graph(request.model, request.weights, request.input_size, request.padding)
        sizes = [LayerSize(x.name, x.weight_count + x.c_out, x.macs) for x in graph.layers]
        make_folder(file.parent)
        write_json(file, {"layers": [asdict(size) for size in sizes]})


def read_layers(file: Path) -> list[LayerSize]:
    """In the order of the network; none where the search has not begun."""
    if not file.is_file():
        return []
    return [LayerSize(**layer) for layer in read_json(file)["layers"]]
