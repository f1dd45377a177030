"""Networks and images that the tests of `haq` share: the packaged ones, and a small network."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from haq.data import Images
from haq.data.fashion_mnist import load_sample
from haq.prepare import Subject, load_network, make_subject, to_tensor
from haq.zoo import NetConfig, build

SMALL = NetConfig("mbv2", input_size=16, channels=1, classes=10, width=0.25)


@cache
def default_subject() -> Subject:
    """The packaged network, calibrated on a few of its packaged images."""
    config, network = load_network("mbv2", None, 32, "torch")
    return make_subject(config, network, load_sample("calibration").rows(0, 19), "auto")


@cache
def small_subject() -> Subject:
    """The small network, traced and calibrated."""
    from quant.trace import trace

    shape = (SMALL.channels, SMALL.input_size, SMALL.input_size)
    return make_subject(SMALL, trace(small_net(), shape), cropped("calibration", 20), "auto")


@cache
def small_net() -> nn.Module:
    """A quarter as wide, for 16x16 pixels, with random weights and fitting batch statistics.

    Its logits are spread by some units, so that quantization moves them and classes differ.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = build(SMALL).train()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, 0.1)
        with torch.no_grad():
            net(to_tensor(cropped("calibration", 100)))
    return net.eval()


def cropped(part: str, count: int) -> Images:
    """The first packaged images of a part, their inner 16x16 pixels."""
    some = load_sample(part, 28).rows(0, count - 1)
    return Images(some.pixels[:, :, 6:22, 6:22], some.labels)


def write_small_weights(path: Path) -> Path:
    """The small network's weights as safetensors."""
    save_file({name: t.contiguous() for name, t in small_net().state_dict().items()}, path)
    return path


def write_images(folder: Path, images: Images) -> Path:
    """A folder with grey PNG files and a labels.csv."""
    folder.mkdir(parents=True)
    lines = ["file,label"]
    for index, (pixels, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
        Image.fromarray(pixels[0]).save(folder / f"{index}.png")
        lines.append(f"{index}.png,{label}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder
