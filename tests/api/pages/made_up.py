"""A search with trials whose policies are whole, and a page taken apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from html.parser import HTMLParser
from typing import Any

from api.jobs import Job
from api.service import Service
from api.views import folder_of
from api.workers.layers import LayerSize, layers_file
from haq.store.run_folder import write_json
from quant.policy import Bits, Policy
from tests.api.runs import made_up_trial, put_search, put_trials

LAYERS = ("features.0", "features.1", "classifier")


def policy(*bits: int) -> dict[str, Any]:
    """One width a layer."""
    layers = {name: Bits(b, b) for name, b in zip(LAYERS, bits, strict=True)}
    return Policy(layers).to_json()


def trial(number: int, **changes: Any) -> dict[str, Any]:
    """A record with a policy that `Policy` reads."""
    bits = (8, 16, 32) if number % 2 else (16, 16, 32)
    return made_up_trial(number, policy=policy(*bits), images=1000, agreement=1.0, **changes)


def put_run(service: Service, trials: Iterable[dict[str, Any]] = (), **asked: Any) -> Job:
    """A search in the queue that has trials already, and a network that was looked at."""
    job = put_search(service, **asked)
    put_trials(service.database, job.id, trials)
    file = layers_file(service.settings.data_dir, job.id)
    file.parent.mkdir(exist_ok=True)
    sizes = [LayerSize(name, 100 * number, 1) for number, name in enumerate(LAYERS, 1)]
    write_json(file, {"layers": [asdict(size) for size in sizes]})
    return job


def summary(**budget: Any) -> dict[str, Any]:
    """The result of a search for size."""
    numbers = {"top1": 0.9, "kl": 1e-3, "latency_ratio": 0.8, "latency_ms": 1.2, "size_bytes": 400}
    kept = {"kind": "size", "ratio": 0.5, "float_cost": 2000.0, "given": True, **budget}
    return {
        "best": {"policy": policy(8, 8, 16), **numbers},
        "uniform": {
            "8": {**numbers, "kl": 2e-3, "size_bytes": 250},
            "16": {**numbers, "kl": 1e-4, "size_bytes": 500},
            "32": {**numbers, "kl": 0.0, "size_bytes": 1000},
        },
        "details": {"budget": kept, "budgets": [{"kind": "size", "reached": 0.4}], "episode": 1},
    }


def put_summary(service: Service, job: Job) -> None:
    """Have a search be over, as its files say."""
    folder = folder_of(service, job)
    folder.path.mkdir(parents=True)
    write_json(folder.summary, summary())


class Page(HTMLParser):
    """Elements of a page as (tag, attributes), and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a tag that has these."""
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(key) == value for key, value in wanted.items())
        ]
