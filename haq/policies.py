"""A policy from what the user typed: a short name or a file."""

from collections.abc import Sequence
from pathlib import Path

from haq.store.run_folder import read_json
from quant.errors import PolicyError
from quant.policy import Policy, from_short_name
from quant.saved import SavedQuantizer


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


def choose_policy(
    text: str | None, saved: SavedQuantizer | None, names: Sequence[str], default: str
) -> Policy:
    """The policy that is named, or that of saved layers, or the default one.

    Raises PolicyError where a named policy is not that of the saved layers.
    """
    if saved is None:
        return read_policy(text or default, names)
    if text is not None:
        saved.layers(read_policy(text, names))
    return saved.policy


def exists(path: Path) -> bool:
    """Whether something is there; a name that nothing can have is nothing."""
    try:
        return path.exists()
    except OSError:
        return False
