from __future__ import annotations

import sys

import pytest

from haq.local_board import free_port
from haq.parallel.cluster import connected
from quant.errors import InputError


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(InputError, match=r"^--ray needs Ray: pip install 'haq\[ray\]'$"),
        connected("auto"),
    ):
        pass


@pytest.mark.parametrize("address", ["auto", "nowhere", "PORT", "ray://PORT", "[::1]:9"])
def test_where_no_cluster_is_the_line_says_what_to_do(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    named = address.replace("PORT", f"127.0.0.1:{free_port()}")
    with pytest.raises(InputError) as raised, connected(named):
        pass
    assert str(raised.value).startswith(f"no Ray cluster is found at '{named}': start one by `ray")
    assert "\n" not in str(raised.value)
