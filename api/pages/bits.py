"""The bits of a policy, layer by layer, and what each layer weighs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from api.jobs import Job
from api.pages.charts.network import Row, network_chart
from api.service import Service
from api.views import folder_of
from api.work.layers import LayerSize, layers_file, read_layers
from haq.store.run_folder import read_json

Layers = Mapping[str, Mapping[str, int]]
"""Bits of `weight` and `activation` by layer name."""


@dataclass(frozen=True)
class LayerBits:
    """A layer's bits, and its shares of all parameters and of the latency, where known."""

    name: str
    weight: int
    activation: int
    parameters: float | None
    latency: float | None

    @property
    def text(self) -> str:
        """8, or W4A8 where weights and activations differ."""
        same = self.weight == self.activation
        return f"{self.weight}" if same else f"W{self.weight}A{self.activation}"


def bits_of(service: Service, job: Job, policy: Mapping[str, Any]) -> list[LayerBits]:
    """The layers of a policy of a search."""
    layers: Layers = policy["layers"]
    sizes = read_layers(layers_file(service.settings.data_dir, job.id))
    parameters = parameter_shares(sizes, layers)
    latencies = latency_shares(profile_of(service, job), layers)
    return [
        LayerBits(name, b["weight"], b["activation"], parameters.get(name), latencies.get(name))
        for name, b in layers.items()
    ]


def profile_of(service: Service, job: Job) -> Mapping[str, Any] | None:
    """What the board measured of each layer alone; None where no latency was asked for."""
    file = folder_of(service, job).profile
    return read_json(file)["layers"] if file.is_file() else None


def parameter_shares(sizes: Sequence[LayerSize], layers: Layers) -> dict[str, float]:
    """Each layer's share of all parameters; empty where the layers are others."""
    total = sum(size.parameters for size in sizes)
    known = {size.name: size.parameters / total for size in sizes}
    return known if known.keys() == layers.keys() else {}


def latency_shares(profile: Mapping[str, Any] | None, layers: Layers) -> dict[str, float]:
    """Each layer's share of the sum of the layers timed alone, at its bits; empty where unknown."""
    times = {}
    for name, bits in layers.items():
        known = (profile or {}).get(name, {}).get(str(bits["weight"]))
        if known is None or bits["weight"] != bits["activation"]:
            return {}
        times[name] = known
    total = sum(times.values())
    return {name: ms / total for name, ms in times.items()}


def bits_chart(layers: Sequence[LayerBits], title: str) -> Markup:
    """Bits as bars; below them the shares that are known."""
    rows = bit_rows(layers)
    latencies = [layer.latency for layer in layers if layer.latency is not None]
    parameters = [layer.parameters for layer in layers if layer.parameters is not None]
    rows += [Row("latency\nshare, %", latencies, "share")] if latencies else []
    rows += [Row("parameter\nshare, %", parameters, "share")] if parameters else []
    return network_chart("bits", title, [layer.name for layer in layers], rows)


def bit_rows(layers: Sequence[LayerBits]) -> list[Row]:
    """One row where weights and activations have the same bits, else two."""
    weights = [layer.weight for layer in layers]
    activations = [layer.activation for layer in layers]
    if weights == activations:
        return [Row("bits", weights)]
    return [Row("weight\nbits", weights), Row("activation\nbits", activations)]
