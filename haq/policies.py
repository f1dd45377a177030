"""A policy from what the user typed: a short name or a file, which may be HAQ's own list."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from haq.store.run_folder import read_json
from quant.errors import PolicyError
from quant.policy import Bits, Policy, from_short_name
from quant.saved import SavedQuantizer

IMAGE, IMAGE_BITS = -1, 8
"""How HAQ marks the activation bits of the image, and what they are."""


def read_policy(text: str, names: Sequence[str]) -> Policy:
    """Policy of a short name (`8`, `16`, `32`, `wNaM`) or of a JSON file: ours, or `from_pairs`.

    Raises PolicyError where it does not fit the layers `names`, InputError for a broken file.
    """
    policy = from_short_name(text, names)
    if policy is None:
        if not exists(Path(text)):
            raise PolicyError(
                f"no policy '{text:.80}': give a file, or 8, 16, 32 or wNaM such as w4a8"
            )
        data = read_json(Path(text))
        policy = from_pairs(data, names) if isinstance(data, list) else Policy.from_json(data)
    policy.check_names(names)
    return policy


def from_pairs(pairs: Sequence[Any], names: Sequence[str]) -> Policy:
    """Policy of HAQ's list: [weight bits, activation bits] of every layer in its order.

    The first layer's activation bits may be -1: its input is the image, of 8 bits. Raises
    PolicyError for anything else.
    """
    if len(pairs) != len(names):
        raise PolicyError(f"the policy lists {len(pairs)} layers, but the network has {len(names)}")
    rows = enumerate(zip(names, pairs, strict=True))
    return Policy({name: from_pair(pair, name, index == 0) for index, (name, pair) in rows})


def from_pair(pair: Any, name: str, is_first: bool) -> Bits:
    """Bits of one layer of HAQ's list. Raises PolicyError."""
    if not isinstance(pair, list) or len(pair) != 2 or any(type(bits) is not int for bits in pair):
        raise PolicyError(
            f"layer {name}: expected [weight bits, activation bits], got {pair!r:.60}"
        )
    weight, activation = pair
    try:
        return Bits(weight, IMAGE_BITS if is_first and activation == IMAGE else activation)
    except PolicyError as error:
        raise PolicyError(f"layer {name}: {error}") from None


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
