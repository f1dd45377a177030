from __future__ import annotations

import subprocess
import sys

import pytest

import haq
from haq.client import Client, ServerRefusedError
from tests.haq.client.served import Served


def test_it_is_the_packages_own() -> None:
    assert haq.Client is Client
    with pytest.raises(AttributeError, match="has no attribute 'Clients'"):
        haq.Clients  # noqa: B018


def test_the_package_alone_loads_nothing() -> None:
    code = "import sys, haq; print('httpx2' in sys.modules, 'pydantic' in sys.modules)"
    code += "; haq.Client; print('httpx2' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False", "True", "False"]


def test_a_key_opens_what_its_role_may(served: Served) -> None:
    reader = served.service.keys.add("anna", "read")
    with served.client(reader) as client:
        assert list(client.searches()) == []
        with pytest.raises(ServerRefusedError, match="a key with the role run, yours has read"):
            client.begin()


def test_a_wrong_key_is_not_repeated(served: Served) -> None:
    served.service.keys.add("anna", "read")
    with served.client("wrong-key") as client, pytest.raises(ServerRefusedError) as raised:
        list(client.searches())
    assert "refuses the key" in str(raised.value)
    assert "wrong-key" not in str(raised.value)
