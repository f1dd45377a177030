"""A small transformer of a user's, searched whole: products are layers of its policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from haq.cost import parse_budget, read_table
from haq.progress import Silent
from haq.search.request import SearchRequest
from haq.search.run import run_search
from haq.store import RunFolder
from haq.store.run_folder import read_json
from haq.zoo.vit import Size, VisionTransformer
from quant.policy import Policy
from quant.trace import trace
from tests.haq.cost.tables import write_profile
from tests.haq.search.runs import small_request, trials
from tests.haq.simulated_board import SimulatedBoard

PRODUCTS = [f"blocks.{block}.attn.{kind}" for block in (0, 1) for kind in ("scores", "context")]


def transformer() -> VisionTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VisionTransformer(Size(8, 24, 2, 3), 10, 1, 16)


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> SearchRequest:
    return small_request(
        tmp_path_factory.mktemp("inputs"),
        model=f"{__name__}:{transformer.__name__}",
        weights=None,
        input_size=16,
        padding=None,
        episodes=3,
    )


def search(request: SearchRequest, path: Path) -> tuple[dict[str, Any], Policy]:
    summary = run_search(request, RunFolder(path, "own"), SimulatedBoard(), Silent())
    return summary, Policy.from_json(summary["best"]["policy"])


def test_a_budget_of_size(request_: SearchRequest, tmp_path: Path) -> None:
    """Both values of a product have bits of their own."""
    budget = (parse_budget("size=0.25x"), parse_budget("bops=0.05x"))
    asked = replace(request_, bits=(4, 8), budget=budget, quantizer="naive")
    summary, policy = search(asked, tmp_path / "run")
    exports, details = summary["exports"], read_json(tmp_path / "run" / "summary.json")["details"]
    assert set(PRODUCTS) <= set(policy.layers)
    assert all(max(bits.weight, bits.activation) <= 8 for bits in policy.layers.values())
    assert exports["onnx_agreement"] >= 0.75 and exports["ncnn_param"] is None
    assert details["stays_float"]["blocks.0.norm1"] == "layer_norm"
    assert details["stays_float"]["blocks.1.attn.softmax"] == "softmax"
    weighted = summary["uniform"]["32"]["size_bytes"]
    assert summary["best"]["size_bytes"] <= 0.25 * weighted


def test_a_budget_of_latency(request_: SearchRequest, tmp_path: Path) -> None:
    """ncnn runs it; products are float there, so a search has nothing to choose for them."""
    budget = (parse_budget("latency=0.95x"),)
    summary, policy = search(replace(request_, bits=(8, 16, 32), budget=budget), tmp_path / "run")
    assert {policy[name].engine for name in PRODUCTS} == {32}
    assert policy["blocks.0.attn.qkv"].engine in (8, 16, 32)
    assert summary["best"]["latency_ratio"] <= 0.95
    exports = summary["exports"]
    assert exports["ncnn_agreement"] >= 0.75 and exports["onnx_agreement"] >= 0.75
    assert set(summary["uniform"]) == {"8", "16", "32"}
    for trial in trials(tmp_path / "run"):
        layers = trial["policy"]["layers"]
        assert {layers[name]["weight"] for name in PRODUCTS} == {32}


def test_shared_weights(request_: SearchRequest, tmp_path: Path) -> None:
    asked = replace(
        request_, quantizer="kmeans", bits=(2, 4, 32), budget=(parse_budget("size=0.3x"),)
    )
    summary, policy = search(asked, tmp_path / "run")
    assert {policy[name].weight for name in PRODUCTS} == {32}
    assert summary["best"]["size_bytes"] <= 0.3 * summary["uniform"]["32"]["size_bytes"]
    assert summary["exports"]["onnx_agreement"] == 1


def test_a_table_of_a_transformer_has_no_rows_of_products(
    request_: SearchRequest, tmp_path: Path
) -> None:
    names = (name for name in small_names() if name not in PRODUCTS)
    table = read_table(write_profile(tmp_path / "table.json", tuple(names)))
    _, policy = search(replace(request_, bits=(8, 32), table=table), tmp_path / "run")
    assert {policy[name].engine for name in PRODUCTS} == {32}
    assert read_json(tmp_path / "run" / "summary.json")["details"]["budget"]["kind"] == "table"


def small_names() -> tuple[str, ...]:
    return trace(transformer(), (1, 16, 16)).graph.layer_names
