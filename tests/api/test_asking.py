from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from api.asking import resolve, to_stored
from api.schema import SearchSpec
from api.service import Service
from api.workers.errand import asked_from
from haq.names import METRICS

WITHOUT_TORCH = """
import sys
from pathlib import Path
from api.app import create_app
from api.asking import resolve
from api.schema import SearchSpec
from api.settings import Settings

app = create_app(Settings(data_dir=Path(sys.argv[1]), workers=0))
resolve(app.state.service, SearchSpec(model="mbv2_seg", data="faces", metric="miou"))
assert not sys.modules.keys() & {"torch", "matplotlib"}
"""


@pytest.mark.parametrize("metric", [None, *METRICS])
def test_what_is_asked_reaches_the_worker(service: Service, metric: str | None) -> None:
    what = {"model": "mbv2_seg", "data": "faces", "metric": metric, "reward": "metric"}
    spec = SearchSpec.model_validate(what)
    asked = resolve(service, spec)
    assert (asked.data, asked.metric, asked.reward) == ("faces", metric, "metric")
    assert asked_from(to_stored(spec, asked)["asked"]) == asked


@pytest.mark.parametrize(
    ("model", "data"), [("mbv2", "sample"), ("mbv2_seg", "faces"), ("lite0", "sample:0-499")]
)
def test_a_network_has_its_usual_images_where_none_are_named(model: str, data: str) -> None:
    assert SearchSpec.model_validate({"model": model}).data == data
    assert SearchSpec.model_validate({"model": model, "data": "mine"}).data == "mine"


def test_the_service_loads_neither_torch_nor_what_draws(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH, str(tmp_path)], check=True)
