"""A policy from what the user typed: a short name or a file."""

from collections.abc import Sequence
from pathlib import Path

from haq.store.run_folder import read_json
from quant.errors import PolicyError
from quant.policy import Policy, from_short_name


def read_policy(text: str, names: Sequence[str]) -> Policy:
    """Policy of a short name (`8`, `16`, `32`, `wNaM`) or of a JSON file.

    Raises PolicyError where it does not fit the layers `names`, InputError for a broken file.
    """
    policy = from_short_name(text, names)
    if policy is None:
        if not exists(Path(text)):
            raise PolicyError(
                f"no policy '{text:.80}': give a file, or 8, 16, 32 or wNaM such as w4a8"
            )
        policy = Policy.from_json(read_json(Path(text)))
    policy.check_names(names)
    return policy


def exists(path: Path) -> bool:
    """Whether something is there; a name that nothing can have is nothing."""
    try:
        return path.exists()
    except OSError:
        return False
