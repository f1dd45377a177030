import base64
import hashlib
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from device_agent.measuring import infer
from device_agent.measuring.candidates import Workshop
from device_agent.measuring.infer import as_is, check_size, normalise, open_images, run_images
from quant.errors import InputError
from quant.ncnn.runtime import capabilities
from tests.device_agent.conftest import put, register
from tests.device_agent.pixel_network import OUTPUT_SHAPE, pixel_layers
from tests.device_agent.small_network import NAMES, RANGES, SHAPE, everywhere, small_layers

PIXELS = np.random.default_rng(0).integers(0, 256, (12, *SHAPE), dtype=np.uint8)


def logits(
    answer: dict[str, str], shape: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.frombuffer(base64.b64decode(answer["logits"]), "<f4").reshape(shape)


def test_logits_are_those_of_ncnn(client: TestClient, network: str, tmp_path: Path) -> None:
    policies = [everywhere(8), {**everywhere(32), "stem": 16}, everywhere(32)]
    body = {"network": network, "policies": policies, "images": put(client, PIXELS.tobytes())}
    answer = client.post("/v1/infer", json=body).json()
    assert answer["shape"] == [3, 12, 10]
    found = logits(answer, (3, 12, 10))
    workshop = Workshop(tmp_path, capabilities(), threads=1)
    for policy, of_policy, checksum in zip(policies, found, answer["checksums"], strict=True):
        engine = workshop.mixed(small_layers(), policy, RANGES).load()
        expected = [engine.run(image) for image in normalise(PIXELS, 127.5, 1.0)]
        np.testing.assert_array_equal(of_policy, np.stack(expected))
        assert hashlib.sha256(of_policy.tobytes()).hexdigest() == checksum


def test_logits_of_every_pixel(client: TestClient, tmp_path: Path) -> None:
    layers = pixel_layers()
    policies = [everywhere(bits) for bits in (8, 16, 32)]
    network = register(client, layers)
    body = {"network": network, "policies": policies, "images": put(client, PIXELS.tobytes())}
    answer = client.post("/v1/infer", json=body).json()
    shape = (3, 12, *OUTPUT_SHAPE)
    assert tuple(answer["shape"]) == shape
    workshop = Workshop(tmp_path, capabilities(), threads=1)
    for policy, of_policy in zip(policies, logits(answer, shape), strict=True):
        engine = workshop.mixed(layers, policy, RANGES).load()
        expected = [engine.run(image) for image in normalise(PIXELS, 127.5, 1.0)]
        np.testing.assert_array_equal(of_policy, np.stack(expected))


def test_float_images_are_taken_as_they_are(client: TestClient, network: str) -> None:
    floats = normalise(PIXELS, 127.5, 1.0).astype("<f4")
    answers = []
    for data, dtype in ((PIXELS, "uint8"), (floats, "float32")):
        body = {"images": put(client, data.tobytes()), "dtype": dtype, "workers": 2}
        body |= {"network": network, "policies": [everywhere(32)]}
        answers.append(client.post("/v1/infer", json=body).json())
    assert answers[0]["logits"] == answers[1]["logits"]


def test_each_step_of_the_normalisation_is_rounded_to_float32() -> None:
    found = normalise(PIXELS, 127.5, 1.0)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float32(PIXELS) / np.float32(127.5) - np.float32(1))


@pytest.mark.parametrize("size", [0, 5, 3 * 16 * 16 - 1, 3 * 16 * 16 + 1])
def test_files_of_no_whole_number_of_images_are_refused(tmp_path: Path, size: int) -> None:
    file = tmp_path / "images"
    file.write_bytes(bytes(size))
    with pytest.raises(InputError, match="no multiple of the 768"):
        open_images(file, "uint8", SHAPE)


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    candidate = Workshop(tmp_path, capabilities(), threads=1).mixed(
        small_layers(), dict.fromkeys(NAMES, 8), RANGES
    )
    images = normalise(PIXELS, 127.5, 1.0)
    alone = run_images(candidate, images, as_is, workers=1)
    for workers in (2, 4, 64):
        np.testing.assert_array_equal(alone, run_images(candidate, images, as_is, workers))


def test_answers_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infer, "MAX_LOGITS", 100)
    check_size(100)
    with pytest.raises(InputError, match="fewer images"):
        check_size(101)


def test_images_must_have_been_uploaded(client: TestClient, network: str) -> None:
    body = {"network": network, "policies": [everywhere(8)], "images": "0" * 64}
    answer = client.post("/v1/infer", json=body)
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:haq:problem:unknown-file"
