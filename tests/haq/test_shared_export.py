from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from env.actions import weight_choices
from haq.checks import KEYS
from haq.cost import codebook_cost
from haq.shared_export import DEPLOYMENT, check_shared, export_shared
from haq.store import RunFolder
from quant.kmeans import KMeansQuantizer
from quant.ncnn.format import load_bin, parse_param
from quant.packed import load_packed
from quant.policy import Policy, uniform
from quant.shared import SharedLayers
from tests.haq.subjects import cropped, small_subject

SUBJECT = small_subject()
GRAPH = SUBJECT.network.graph
TEST = cropped("test", 30)


def exported(folder: RunFolder, bits: int) -> tuple[Policy, SharedLayers]:
    policy = uniform(GRAPH.layer_names, bits, 32)
    shared = KMeansQuantizer(SUBJECT.network).shared(policy)
    export_shared(SUBJECT, policy, shared, folder)
    return policy, shared


@pytest.mark.parametrize("bits", [3, 8])
def test_all_files_compute_the_shared_weights(tmp_path: Path, bits: int) -> None:
    folder = RunFolder(tmp_path, "mbv2")
    policy, shared = exported(folder, bits)
    found = check_shared(SUBJECT, shared, folder, TEST)
    assert found.keys() >= set(KEYS)
    assert found["ncnn_agreement"] == found["onnx_agreement"] == 1
    assert found["ncnn_top1"] == found["onnx_top1"]
    counted = codebook_cost(GRAPH, weight_choices(GRAPH.layer_names)).cost(policy)
    assert found["packed_bytes"] == counted
    assert found["ncnn_bytes"] == folder.ncnn_bin.stat().st_size
    assert found["deployment"] == DEPLOYMENT
    assert DEPLOYMENT in folder.metadata.read_text().replace("\n  ", " ")


def test_ncnn_keeps_a_byte_for_each_index_whatever_the_bits(tmp_path: Path) -> None:
    sizes = []
    for bits in (1, 8):
        folder = RunFolder(tmp_path / str(bits), "mbv2")
        folder.path.mkdir()
        exported(folder, bits)
        sizes.append(folder.ncnn_bin.stat().st_size)
    assert sizes[0] == sizes[1]


def test_files_hold_the_same_weights(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "mbv2")
    _, shared = exported(folder, 4)
    packed = load_packed(folder.packed.read_bytes())
    in_ncnn = load_bin(parse_param(folder.ncnn_param.read_text()), folder.ncnn_bin.read_bytes())
    for layer in in_ncnn:
        if layer.payload is not None:
            assert layer.payload.codebook is not None
            codebook = layer.payload.codebook
            expected = shared[layer.name].floats.weight
            np.testing.assert_array_equal(codebook.values[codebook.indexes], expected.ravel())
            np.testing.assert_array_equal(packed[layer.name].floats.weight, expected)
