from __future__ import annotations

import pytest
import stamina

from haq.client import Client, Key, ServerInvalidError, ServerLostError, ServerUnknownError
from tests.haq.client.losses import Losing
from tests.haq.client.served import Served


def test_a_key_from_its_making_to_its_end(client: Client, served: Served) -> None:
    admin = client.add_key("root", "admin")
    with served.client(admin.secret) as operator:
        made = operator.add_key("anna", "run", per_minute=5, max_searches=2)
        assert made.secret is not None
        plain = Key("anna", "run", 5, 2, made.created_at)
        assert operator.keys()[0] == plain
        with pytest.raises(ServerInvalidError, match="there is or was a key anna"):
            operator.add_key("anna", "run")
        operator.revoke_key("anna")
        (left,) = operator.keys()
        assert left.name == "root"
        with pytest.raises(ServerUnknownError):
            operator.revoke_key("anna")


def test_a_secret_that_is_lost_on_the_way_is_not_taken_for_one(served: Served) -> None:
    secret = served.service.keys.add("root", "admin")
    with (
        stamina.set_testing(True, attempts=2),
        served.client(secret, transport=Losing()) as client,
        pytest.raises(ServerLostError, match="the key anna was made, but its secret was lost"),
    ):
        client.add_key("anna", "run")
    assert [key.name for key in served.service.keys.in_force()] == ["anna", "root"]


def test_a_lost_answer_revokes_once(served: Served) -> None:
    secret = served.service.keys.add("root", "admin")
    served.service.keys.add("anna", "run")
    unlucky = Losing()
    with (
        stamina.set_testing(True, attempts=2),
        served.client(secret, transport=unlucky) as client,
    ):
        client.revoke_key("anna")
    assert len(unlucky.requests) == 2
    assert [key.name for key in served.service.keys.in_force()] == ["root"]


def test_the_audit_names_the_newest_first(client: Client) -> None:
    made = client.begin()
    client.pause(made.id)
    newest, first = client.audit()
    assert (newest.action, newest.status, newest.key_name) == ("pause_search", 200, "local")
    assert first.action == "begin_search"
    assert len(client.audit(limit=1)) == 1
