from __future__ import annotations

import pytest

from quant.trace.onnx_call import plain_name, scoped_name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("/features/features.0/features.0.0/Conv", "features.0.0"),
        ("/layer1/layer1.0/conv1/Conv", "layer1.0.conv1"),
        ("/layer1/layer1.0/downsample/downsample.0/Conv", "layer1.0.downsample.0"),
        ("/conv/Conv_1", "conv_1"),
        ("/Conv_1", ""),
        ("Conv_12", ""),
        ("", ""),
    ],
)
def test_names_of_torchs_scopes(written: str, name: str) -> None:
    """As torch's exporter by TorchScript names the nodes of ResNet and MobileNet."""
    assert scoped_name(written) == name


def test_names_keep_torchs_characters_alone() -> None:
    assert plain_name("onnx::Conv_12/a b") == "onnx_Conv_12_a_b"
