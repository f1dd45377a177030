from __future__ import annotations

import pytest

from api.limits import BodyLimit
from tests.device_agent.web.test_limits import echo_size


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/v1/models", 1000),
        ("PUT", "/v1/models", 10),
        ("POST", "/v1/models/", 10),
        ("POST", "/v1/searches", 10),
        ("GET", "/v1/models", 10),
    ],
)
def test_models_may_be_large_and_nothing_else(method: str, path: str, limit: int) -> None:
    scope = {"type": "http", "method": method, "path": path, "root_path": ""}
    assert BodyLimit(echo_size, 1000, 10).limit(scope) == limit
