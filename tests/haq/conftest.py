from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
import torch

from haq.data import faces
from haq.data.fashion_mnist import load_sample
from haq.store.database import PRAGMAS
from tests.haq.subjects import cropped, write_images, write_small_weights


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Small networks gain nothing from threads, and on a busy machine these wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What quantizers make is kept for the tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAQ_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_stores() -> Iterator[None]:
    """No commit waits for the disk: what the tests end survives without it, as no power is cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("haq.store.database.PRAGMAS", (*PRAGMAS, "synchronous = OFF"))
        yield


@pytest.fixture(autouse=True)
def one_attempt() -> Iterator[None]:
    """A lost board is not asked again, and not waited for, unless a test says so."""
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HAQ_AGENT_KEY", raising=False)
    return folder


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 20 images that fit the packaged network."""
    folder = tmp_path_factory.mktemp("images") / "32"
    return write_images(folder, load_sample("test").rows(0, 19))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Options that name the small network and 20 images that fit it."""
    folder = tmp_path_factory.mktemp("small")
    weights = write_small_weights(folder / "weights.safetensors")
    data = write_images(folder / "images", cropped("test", 20))
    return ("--weights", str(weights), "--input", "16", "--data", str(data))


@pytest.fixture
def few_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets of 20 faces instead of hundreds."""
    monkeypatch.setattr(faces, "COUNTS", dict.fromkeys(faces.COUNTS, 20))
