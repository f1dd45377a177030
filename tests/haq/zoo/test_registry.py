from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from haq.data import Images, load_images
from haq.data.fashion_mnist import load_sample
from haq.names import Padding
from haq.prepare import load_network, to_tensor
from haq.zoo import DEFAULT_WEIGHTS, NetConfig, build, load
from haq.zoo.registry import WIDTHS, read_weights
from quant.errors import ModelError
from quant.evaluate import run_batches
from quant.float_net import FloatNet
from quant.graph import Network
from tests.haq.subjects import SMALL, small_net, write_small_weights

SHARED = Path(__file__).parents[4] / "shared" / "data"
PRETRAINED = SHARED / "weights" / "mbv2_imagenet_tfsame.safetensors"
PHOTOGRAPHS = SHARED / "imagenet_224"
with_shared = pytest.mark.skipif(
    not PRETRAINED.is_file() or not PHOTOGRAPHS.is_dir(),
    reason="needs ../shared/data: pretrained weights and photographs, which are not packaged",
)


class Payload:
    """Unpickled, it makes a directory."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def hits(network: Network, images: Images) -> int:
    logits = run_batches(FloatNet(network).logits, to_tensor(images))
    return int((logits.argmax(1) == images.labels).sum())


def small_state() -> dict[str, Tensor]:
    return dict(small_net().state_dict())


def refuse(path: Path, match: str, padding: Padding = "torch") -> None:
    with pytest.raises(ModelError, match=match) as raised:
        load("mbv2", path, SMALL.input_size, padding)
    assert "\n" not in str(raised.value)


def test_the_packaged_weights_reach_their_accuracy() -> None:
    config, network = load_network("mbv2", None, 32, "torch")
    assert config == NetConfig("mbv2", 32, 1, 10, 1.0, "torch")
    images = load_sample("test").rows(0, 499)
    assert hits(network, images) >= 0.90 * len(images)


@pytest.mark.parametrize(
    ("width", "channels", "classes"), [*((w, 1, 10) for w in WIDTHS), (0.25, 3, 7), (0.5, 3, 1000)]
)
def test_the_shapes_are_read_from_the_weights(
    width: float, channels: int, classes: int, tmp_path: Path
) -> None:
    made = NetConfig("mbv2", 32, channels, classes, width, "same")
    state = {n: t.half() if t.ndim else t for n, t in build(made).state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    net, config = load("mbv2", tmp_path / "weights.safetensors", 32, "same")
    assert config == made
    assert not net.training
    assert all(parameter.dtype == torch.float32 for parameter in net.parameters())


@pytest.mark.parametrize("wrap", [False, True], ids=["state", "checkpoint"])
@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.bin"])
def test_a_torch_checkpoint_loads(wrap: bool, name: str, tmp_path: Path) -> None:
    state = small_state()
    torch.save({"state_dict": state, "epoch": 3} if wrap else state, tmp_path / name)
    net, config = load("mbv2", tmp_path / name, SMALL.input_size, "torch")
    assert config == SMALL
    for key, tensor in net.state_dict().items():
        assert torch.equal(tensor, state[key])


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_poisoned_checkpoint_is_refused_and_runs_nothing(legacy: bool, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "poisoned.pth"
    poisoned = {**small_state(), "extra": Payload(marker)}
    torch.save(poisoned, path, _use_new_zipfile_serialization=not legacy)
    refuse(path, "not a readable safetensors or weights_only checkpoint")
    assert not marker.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_plain_pickle_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "poisoned.pth"
    path.write_bytes(pickle.dumps(Payload(marker)))
    refuse(path, "not a readable")
    assert not marker.exists()


def test_a_pickle_named_safetensors_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "poisoned.safetensors"
    torch.save({"weights": Payload(marker)}, path)
    refuse(path, "not a readable")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
@pytest.mark.parametrize(
    "content", [b"", b"not weights", b"\x00" * 64, b"PK\x03\x04" + b"\xff" * 90]
)
def test_garbage_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(tmp_path / name, "not a readable")


def test_cut_weights_are_refused(tmp_path: Path) -> None:
    path = write_small_weights(tmp_path / "weights.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    refuse(path, "not a readable")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    refuse(tmp_path / "absent.pth", r"no such weights file: .*absent\.pth")
    refuse(tmp_path, "no such weights file")


def test_an_unknown_model_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="unknown model 'resnet': choose from mbv2"):
        load("resnet", None, 32, "torch")
    with pytest.raises(ModelError, match="choose from mbv2"):
        build(NetConfig("resnet"))


def test_other_keys_are_refused(tmp_path: Path) -> None:
    state = small_state()
    path = tmp_path / "weights.pth"
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, path)
    refuse(path, r"no tensor 'features\.0\.0\.weight' of 4 dimensions: torchvision's key names are")
    torch.save({n: t for n, t in state.items() if n != "features.17.conv.2.weight"}, path)
    refuse(path, r"no tensor 'features\.17\.conv\.2\.weight'")
    torch.save({n: t for n, t in state.items() if n != "features.5.conv.2.weight"}, path)
    refuse(path, r"does not fit mbv2: .*features\.5\.conv\.2\.weight")
    torch.save({**state, "extra": torch.zeros(1)}, path)
    refuse(path, "does not fit mbv2: .*extra")


@pytest.mark.parametrize("shape", [(), (8,), (8, 1), (9, 1, 3, 3), (8, 1, 5, 5), (0, 0, 0, 0)])
def test_a_stem_of_another_shape_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({**small_state(), "features.0.0.weight": torch.zeros(shape)}, path)
    refuse(path, "does not fit mbv2|no known width|of 4 dimensions")


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(3), {"state_dict": [1]}])
def test_a_checkpoint_without_named_tensors_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    refuse(tmp_path / "weights.pth", "not a readable|no tensor")


def test_the_packaged_weights_are_plain_float32() -> None:
    state = read_weights(DEFAULT_WEIGHTS)
    trainable = build(NetConfig("mbv2"))
    assert sum(p.numel() for p in trainable.parameters()) == 2_236_106
    assert {t.dtype for name, t in state.items() if "num_batches" not in name} == {torch.float32}


@with_shared
def test_pretrained_weights_recognise_photographs_with_same_padding_alone() -> None:
    images = load_images(f"{PHOTOGRAPHS}:600-659", 224)
    found = {}
    paddings: tuple[Padding, ...] = ("same", "torch")
    for padding in paddings:
        config, network = load_network("mbv2", PRETRAINED, 224, padding)
        assert config == NetConfig("mbv2", 224, 3, 1000, 1.0, padding)
        found[padding] = hits(network, images)
    # 50 of these 60 (0.806 of all 1,000); symmetric padding loses an eighth of them.
    assert abs(found["same"] - 50) <= 1
    assert found["torch"] <= 47
