from __future__ import annotations

import numpy as np
import pytest
import torch

from haq.data import normalise
from haq.names import TorchDevice
from haq.prepare import quantizer_of, to_tensor
from haq.torch_evaluator import normalised, torch_evaluator
from quant.errors import InputError
from quant.evaluate import run_batches
from quant.fake_quant import FakeQuantNet
from quant.float_net import FloatNet
from quant.ncnn.capabilities import Capabilities
from quant.policy import uniform
from tests.haq.subjects import cropped, small_subject

PLAIN = Capabilities()
SUBJECT, IMAGES = small_subject(), cropped("test", 20)
NAMES = SUBJECT.network.graph.layer_names
DEVICES: list[TorchDevice] = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]  # type: ignore[list-item]


@pytest.mark.parametrize("device", DEVICES)
def test_bytes_score_as_normalised_images(device: TorchDevice) -> None:
    quantizer = quantizer_of(SUBJECT, "simulated")
    evaluator = torch_evaluator(SUBJECT, quantizer, "simulated", PLAIN, IMAGES, device)
    x = to_tensor(IMAGES)
    floats = run_batches(FloatNet(SUBJECT.network).logits, x)
    # A GPU sums in another order: 1.9e-4 of logits up to 7.7 were seen, without TF32.
    tolerance = 1e-4 if device == "cpu" else 1e-3
    np.testing.assert_allclose(evaluator.float_logits, floats, rtol=tolerance, atol=tolerance)
    policy = uniform(NAMES, 4, 8)
    net = FakeQuantNet(SUBJECT.network.graph, quantizer, PLAIN)
    expected = run_batches(lambda batch: net.logits(batch, policy), x)
    if device == "cpu":
        np.testing.assert_allclose(evaluator.logits(policy), expected, rtol=1e-4, atol=1e-4)
    else:
        assert evaluator.logits(policy).shape == expected.shape


@pytest.mark.parametrize("device", DEVICES)
def test_bytes_are_normalised_as_everywhere(device: TorchDevice) -> None:
    pixels = np.arange(256, dtype=np.uint8)
    found = normalised(torch.from_numpy(pixels).to(device)).cpu().numpy()
    np.testing.assert_array_equal(found, normalise(pixels))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_a_gpu_answers_equally_each_time() -> None:
    quantizer, policy = quantizer_of(SUBJECT, "simulated"), uniform(NAMES, 4, 4)
    once, again = (
        torch_evaluator(SUBJECT, quantizer, "simulated", PLAIN, IMAGES, "cuda").logits(policy)
        for _ in range(2)
    )
    np.testing.assert_array_equal(once, again)


def test_only_bytes_stay_in_memory() -> None:
    evaluator = torch_evaluator(SUBJECT, quantizer_of(SUBJECT, "ncnn"), "ncnn", PLAIN, IMAGES)
    assert evaluator.images.dtype == torch.uint8


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU")
def test_a_gpu_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(InputError, match="torch sees no GPU here"):
        torch_evaluator(SUBJECT, quantizer_of(SUBJECT, "ncnn"), "ncnn", PLAIN, IMAGES, "cuda")
