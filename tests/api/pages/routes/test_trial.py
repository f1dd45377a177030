from __future__ import annotations

from starlette.testclient import TestClient

from api.service import Service
from haq.store import Store
from quant.policy import Policy
from tests.api.pages.made_up import LAYERS, Page, policy, put_run, trial


def test_a_trial_with_its_policy(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1), trial(2, kl=0.125)])
    page = Page(client.get(f"/runs/{job.id}/trials/2").text)
    assert page.all("a", href=f"/compare?policy={job.id}:2&policy={job.id}:1")
    for words in ("Trial 2", "0.12", "not measured", *LAYERS):
        assert words in page.text


def test_a_measured_trial_has_its_interval(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1)])
    latency = {"ratio": 0.8, "ratio_low": 0.7, "ratio_high": 0.9, "latency_ms": 1.25}
    known = Store(service.database).measurements(job.id)
    key = Policy.from_json(policy(8, 16, 32)).key()
    known.put("latency/search", {key: {**latency, "rounds": 40, "noise": 0.01}})
    text = Page(client.get(f"/runs/{job.id}/trials/1").text).text
    assert "1.250 ms, 0.800 of float" in text
    assert "0.700 to 0.900 of float" in text


def test_another_metric_has_its_own_name(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(n, metric={"name": "miou", "value": 0.123}) for n in (1, 2)])
    text = Page(client.get(f"/runs/{job.id}/trials/1").text).text
    assert "miou12.3 %" in text


def test_a_trial_that_is_not_there(service: Service, client: TestClient) -> None:
    assert client.get(f"/runs/{put_run(service).id}/trials/1").status_code == 404
