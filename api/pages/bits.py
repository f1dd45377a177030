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
from api.workers.layers import LayerSize, layers_file, read_layers
from haq.store.run_folder import read_json

Layers = Mapping[str, Mapping[str, int]]
"""Bits of `weight` and `activation` by layer name."""
Harm = Mapping[str, Sequence[Mapping[str, float]]]
"""By layer, the divergence that each pair of bits causes alone."""


@dataclass(frozen=True)
class LayerBits:
    """A layer's bits, and its shares of all parameters, latency and sensitivity, where known.

    Its sensitivity is the divergence that it causes alone at its narrowest bits.
    """

    name: str
    weight: int
    activation: int
    parameters: float | None
    latency: float | None
    sensitivity: float | None = None

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
    sensitivities = sensitivity_shares(harm_of(service, job), layers)
    shares = (parameters, latencies, sensitivities)
    return [
        LayerBits(name, b["weight"], b["activation"], *(share.get(name) for share in shares))
        for name, b in layers.items()
    ]


def harm_of(service: Service, job: Job) -> Harm | None:
    """What every layer harms alone; None until the search has probed them."""
    file = folder_of(service, job).harm
    return read_json(file) if file.is_file() else None


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


def sensitivity_shares(harm: Harm | None, layers: Layers) -> dict[str, float]:
    """Each layer's share of the sum of what all harm alone at their narrowest bits."""
    if harm is None or harm.keys() != layers.keys():
        return {}
    narrowest = {
        name: min(row, key=lambda one: (one["weight"], one["activation"]))["kl"]
        for name, row in harm.items()
    }
    total = sum(max(kl, 0.0) for kl in narrowest.values())
    return {name: max(kl, 0.0) / total for name, kl in narrowest.items()} if total else {}


def bits_chart(layers: Sequence[LayerBits], title: str) -> Markup:
    """Bits as bars; below them the shares that are known."""
    rows = bit_rows(layers)
    latencies = [layer.latency for layer in layers if layer.latency is not None]
    parameters = [layer.parameters for layer in layers if layer.parameters is not None]
    rows += [Row("latency\nshare, %", latencies, "share")] if latencies else []
    sensitivities = [one.sensitivity for one in layers if one.sensitivity is not None]
    rows += [Row("sensitivity\nshare, %", sensitivities, "share")] if sensitivities else []
    rows += [Row("parameter\nshare, %", parameters, "share")] if parameters else []
    return network_chart("bits", title, [layer.name for layer in layers], rows)


def bit_rows(layers: Sequence[LayerBits]) -> list[Row]:
    """One row where weights and activations have the same bits, else two."""
    weights = [layer.weight for layer in layers]
    activations = [layer.activation for layer in layers]
    if weights == activations:
        return [Row("bits", weights)]
    return [Row("weight\nbits", weights), Row("activation\nbits", activations)]
