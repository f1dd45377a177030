from __future__ import annotations

import pytest

from tests.haq.subjects import cropped, write_images, write_small_weights


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Options that name the small network and 20 images that fit it."""
    folder = tmp_path_factory.mktemp("small")
    weights = write_small_weights(folder / "weights.safetensors")
    data = write_images(folder / "images", cropped("test", 20))
    return ("--weights", str(weights), "--input", "16", "--data", str(data))
