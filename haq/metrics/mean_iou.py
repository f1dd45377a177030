"""Mean intersection over union (the Jaccard index) of the classes."""

from __future__ import annotations

from dataclasses import dataclass

from haq.metrics.confusion import confuse
from quant.evaluate import Labels, Logits


@dataclass(frozen=True)
class MeanIou:
    """The mean over the classes that the labels hold.

    A class that no label has does not count itself; what is taken for it is missing elsewhere.
    """

    name: str = "miou"

    @property
    def identity(self) -> str:
        """The name."""
        return self.name

    def __call__(self, logits: Logits, labels: Labels) -> float:
        """A share in 0..1."""
        counts = confuse(logits, labels)
        union = counts.found + counts.labelled - counts.right
        return float((counts.right[counts.given] / union[counts.given]).mean())
