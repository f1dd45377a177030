from __future__ import annotations

import pytest

from api.access.roles import ROLES, Role, may, needed_role


def test_a_role_includes_those_before_it() -> None:
    found = {(role, needed) for role in ROLES for needed in ROLES if may(role, needed)}
    assert found == {
        ("read", "read"),
        *(("run", needed) for needed in ("read", "run")),
        *(("admin", needed) for needed in ROLES),
    }


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/v1/searches", "read"),
        ("HEAD", "/v1/searches/0/artifacts/report.html", "read"),
        ("OPTIONS", "/v1/searches", "read"),
        ("POST", "/v1/searches", "run"),
        ("POST", "/v1/models", "run"),
        ("POST", "/v1/datasets", "run"),
        ("DELETE", "/v1/searches/0", "run"),
        ("post", "/v1/searches", "run"),
        ("GET", "/v1/boards", "read"),
        ("POST", "/v1/boards", "admin"),
        ("POST", "/v1/boards/", "admin"),
        ("DELETE", "/v1/boards/pi", "admin"),
        ("GET", "/v1/keys", "admin"),
        ("GET", "/v1/keys/", "admin"),
        ("DELETE", "/v1/keys/anna", "admin"),
        ("GET", "/v1/audit", "admin"),
        ("GET", "/keys", "admin"),
        ("POST", "/keys/anna/revoke", "admin"),
        ("GET", "/v1/keystone", "read"),
    ],
)
def test_what_a_request_takes(method: str, path: str, role: Role) -> None:
    assert needed_role(method, path) == role
