from pathlib import Path

import pytest

from haq.client import Client, ServerRefusedError


def test_a_folder_below_an_allowed_one_gets_a_name(client: Client, tmp_path: Path) -> None:
    path = str(tmp_path / "images" / "photos")
    made = client.register_dataset("photos", path)
    assert (made.name, made.path, made.created_by) == ("photos", path, "local")
    assert client.datasets() == (made,)


def test_others_do_not(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ServerRefusedError, match="HAQ_SERVICE_DATA_ROOTS"):
        client.register_dataset("photos", str(tmp_path))
    assert client.datasets() == ()
