import pytest

from haq.cores import parse_cores
from quant.errors import InputError


def test_what_cores_mean() -> None:
    assert parse_cores(None) is None
    assert parse_cores("big") == "big"
    assert parse_cores("4,5,7") == (4, 5, 7)


@pytest.mark.parametrize("text", ["", "four", "4,", "-1", "4 5", "99999", "\u0664"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected numbers"):
        parse_cores(text)
