from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from haq.checks import KEYS, check_exports
from haq.data import Images
from haq.data.fashion_mnist import load_sample
from haq.evaluators import make_evaluator
from haq.export import (
    bits16_of,
    compare_executed,
    export,
    open_folder,
    run_exported_ncnn,
    run_exported_onnx,
    weight_bytes,
)
from haq.prepare import Calibrated, Subject, arithmetic_of
from haq.store import RunFolder
from haq.zoo import NetConfig
from quant.errors import InputError, PolicyError
from quant.graph import Floats
from quant.ncnn.capabilities import Bits16, Capabilities
from quant.ncnn.runtime import Engine, capabilities
from quant.policy import Bits, Policy, uniform
from tests.haq.subjects import cropped, default_subject, small_subject
from tests.quant.blocks import block

HERE = capabilities()
PHONE = Capabilities("arm", "fp16", frozenset({"Convolution", "ConvolutionDepthWise"}))
NETWORK_FILES = {"mbv2.onnx", "mbv2.ncnn.param", "mbv2.ncnn.bin", "metadata.yaml"}


def names(subject: Subject) -> tuple[str, ...]:
    return subject.network.graph.layer_names


def mixed(subject: Subject, seed: int = 0) -> Policy:
    """Random bits that ncnn can run."""
    widths = np.random.default_rng(seed).choice((8, 16, 32), len(names(subject))).tolist()
    return Policy({n: Bits(b, b) for n, b in zip(names(subject), widths, strict=True)})


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return open_folder(tmp_path / "deep" / "exported", "mbv2")


def fake_logits(subject: Subject, policy: Policy, images: Images) -> Floats:
    return make_evaluator(subject, images, HERE, arithmetic_of(policy)).logits(policy)


@pytest.mark.parametrize("bits", ["8", "16", "32", "mixed"])
def test_both_files_compute_as_the_fake_quantizer(bits: str, folder: RunFolder) -> None:
    subject, images = default_subject(), load_sample("test").rows(0, 29)
    policy = mixed(subject) if bits == "mixed" else uniform(names(subject), int(bits), int(bits))
    export(subject, policy, HERE, folder)
    expected = fake_logits(subject, policy, images)
    scale = np.abs(expected).max()
    for found in (
        run_exported_ncnn(folder, subject, policy, HERE, images),
        run_exported_onnx(folder, images),
    ):
        assert found.shape == (30, 10)
        assert np.abs(found - expected).mean() < 0.02 * scale
        assert (found.argmax(1) == expected.argmax(1)).mean() >= 29 / 30


def test_checks_say_what_the_files_computed(folder: RunFolder) -> None:
    subject, images = default_subject(), load_sample("test").rows(0, 29)
    policy = uniform(names(subject), 8, 8)
    export(subject, policy, HERE, folder)
    found = check_exports(subject, policy, HERE, folder, images)
    assert tuple(found) == KEYS
    assert {
        Path(found[key]).name for key in ("onnx", "ncnn_param", "ncnn_bin")
    } == NETWORK_FILES - {"metadata.yaml"}
    logits = run_exported_ncnn(folder, subject, policy, HERE, images)
    assert found["ncnn_top1"] == (logits.argmax(1) == images.labels).mean() >= 0.8
    assert found["onnx_top1"] >= 0.8
    assert min(found["ncnn_agreement"], found["onnx_agreement"]) >= 29 / 30


def test_the_checks_run_the_files_themselves(folder: RunFolder) -> None:
    """The files of another policy are noticed."""
    subject, images = small_subject(), cropped("test", 30)
    export(subject, uniform(names(subject), 8, 8), HERE, folder)
    floats = uniform(names(subject), 32, 32)
    found = check_exports(subject, floats, HERE, folder, images)
    assert found["ncnn_agreement"] < 1
    assert found["onnx_agreement"] < 1
    export(subject, floats, HERE, folder)
    again = check_exports(subject, floats, HERE, folder, images)
    assert (again["ncnn_agreement"], again["onnx_agreement"]) == (1, 1)


def test_a_simulated_policy_is_onnx_alone(folder: RunFolder) -> None:
    subject, images = default_subject(), load_sample("test").rows(0, 29)
    policy = uniform(names(subject), 6, 8, ends=8)
    export(subject, policy, HERE, folder)
    assert {path.name for path in folder.path.iterdir()} == {"mbv2.onnx"}
    found = check_exports(subject, policy, HERE, folder, images)
    assert [found[key] for key in KEYS if key.startswith("ncnn")] == [None] * 4
    assert found["onnx_agreement"] >= 29 / 30
    with pytest.raises(PolicyError, match="this policy is simulated"):
        run_exported_ncnn(folder, subject, policy, HERE, images)


def test_the_metadata_is_enough_to_run_the_files(folder: RunFolder) -> None:
    """By hand, with nothing but what is in the folder and the images."""
    subject, images = default_subject(), load_sample("test").rows(0, 4)
    policy = mixed(subject)
    export(subject, policy, HERE, folder)
    assert {path.name for path in folder.path.iterdir()} == NETWORK_FILES
    told = yaml.safe_load(folder.metadata.read_text())
    assert told["input"]["shape"] == [1, 32, 32]
    assert told["input"]["normalisation"] == "x / 127.5 - 1"
    assert told["classes"] == 10
    assert Policy.from_json(told["policy"]) == policy
    assert set(told["activation_thresholds"]) == set(names(subject))
    options = told["ncnn"]["options"]
    bf16, fp16 = options["use_bf16_storage"], options["use_fp16_storage"]
    bits16: Bits16 = "bf16" if bf16 else "fp16" if fp16 else "none"
    engine = Engine.from_memory(folder.ncnn_param.read_text(), folder.ncnn_bin.read_bytes(), bits16)
    pixels = images.pixels.astype(np.float32) / 127.5 - 1
    by_hand = np.stack([engine.blobs(x, [told["output"]["blob"]])["out0"] for x in pixels])
    ours = run_exported_ncnn(folder, subject, policy, HERE, images)
    np.testing.assert_array_equal(by_hand, ours)


def test_the_onnx_file_is_valid_and_holds_integers(folder: RunFolder) -> None:
    subject = small_subject()
    export(subject, uniform(names(subject), 8, 8), HERE, folder)
    model = onnx.load(folder.onnx)
    onnx.checker.check_model(model, full_check=True)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("QuantizeLinear") >= len(names(subject))
    integers = folder.onnx.stat().st_size
    export(subject, uniform(names(subject), 32, 32), HERE, folder)
    assert integers < 0.6 * folder.onnx.stat().st_size


def test_a_network_for_another_kind_of_board_is_run_here_by_building_it_anew(
    folder: RunFolder,
) -> None:
    subject, images = default_subject(), load_sample("test").rows(0, 9)
    policy = mixed(subject)
    export(subject, policy, PHONE, folder)
    told = yaml.safe_load(folder.metadata.read_text())
    assert told["built_for"] == {"arch": "arm", "bits16": "fp16"}
    assert told["ncnn"]["options"]["use_fp16_storage"]
    found = run_exported_ncnn(folder, subject, policy, PHONE, images)
    expected = fake_logits(subject, policy, images)
    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.9


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_the_weights_are_as_large_as_said(seed: int) -> None:
    subject = small_subject()
    policy = mixed(subject, seed)
    folder = RunFolder(Path("unused"), "mbv2")
    written: dict[Path, bytes] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("haq.export.write_bytes", written.__setitem__)
        export(subject, policy, HERE, folder)
    assert len(written[folder.ncnn_bin]) == weight_bytes(subject, policy, HERE)


def test_16_bits_are_switched_on_only_where_used() -> None:
    able = replace(PHONE, bits16="fp16")
    assert bits16_of(uniform(("a", "b"), 8, 8).replace("b", Bits(16, 16)), able) == "fp16"
    assert bits16_of(uniform(("a", "b"), 8, 8), able) == "none"


def test_agreement_and_top1_are_shares() -> None:
    logits = np.eye(4, dtype=np.float32)
    images = Images(np.zeros((4, 1, 2, 2), np.uint8), np.array([0, 1, 2, 0]))
    fake = np.eye(4, dtype=np.float32)[[0, 1, 0, 0]]
    executed = compare_executed(logits, fake, images)
    assert (executed.top1, executed.agreement) == (0.75, 0.5)


def test_a_policy_of_other_layers_is_refused(folder: RunFolder) -> None:
    with pytest.raises(PolicyError, match="does not fit the network"):
        export(small_subject(), uniform(("a", "b"), 8, 8), HERE, folder)
    assert list(folder.path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(InputError, match="cannot be made"):
            open_folder(path, "mbv2")
    assert (tmp_path / "file").read_text() == "mine"


def test_the_metadata_names_what_ncnn_has_no_8_bits_for(folder: RunFolder) -> None:
    known = block("resnext")
    config = NetConfig("resnext", 16, 3, 10)
    calibrated = Calibrated(known.network, known.ranges)
    subject = Subject(config, calibrated, calibrated)
    for bits, told in ((8, ["block.2.0", "last.0.0"]), (16, None)):
        policy = uniform(known.network.graph.layer_names, bits, bits)
        export(subject, policy, capabilities(), folder)
        found = yaml.safe_load(folder.metadata.read_text())
        assert found.get("at_32_instead_of_8_bits") == told
