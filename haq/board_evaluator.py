"""Scores of policies as the board's own ncnn computes them: the accuracy that is deployed."""

from __future__ import annotations

from collections.abc import Sequence

from haq.board import AnyBoard
from haq.data import Images
from haq.prepare import Subject, check_images, upload
from quant.evaluate import Metric, Score, check_labels, compare, shares_right
from quant.policy import Policy, uniform


class BoardEvaluator:
    """Scores policies on fixed images; divergence is from the board's float network."""

    def __init__(
        self, subject: Subject, images: Images, board: AnyBoard, metric: Metric | None = None
    ) -> None:
        """Gives the network to the board and runs it in float there.

        Raises DataError where the images do not fit, BoardError.
        """
        check_images(subject.config, images)
        upload(subject, board)
        self._board, self._images, self._metric = board, images, metric
        float_policy = uniform(subject.network.graph.layer_names, 32, 32)
        (self._float_logits,) = board.infer([float_policy], images.pixels)
        check_labels(self._float_logits, images.labels)

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network on the board."""
        return float(shares_right(self._float_logits, self._images.labels).mean())

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies. Raises PolicyError where ncnn cannot run one."""
        found = self._board.infer(policies, self._images.pixels)
        given = self._float_logits, self._images.labels, self._metric
        return [compare(logits, *given) for logits in found]
