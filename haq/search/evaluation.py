"""Who scores policies in a run: while it searches, and in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial

import numpy as np

from haq import export
from haq.cost import codebook_cost, size_cost
from haq.data import Images, Splits
from haq.evaluators import PolicyEvaluator, make_evaluator, runs_here
from haq.metrics import beside_top1
from haq.names import QuantizerName, TorchDevice
from haq.parallel import StartWorkers, Workers
from haq.prepare import Subject
from haq.progress import Progress, Silent
from haq.quantizers import make_quantizer
from haq.search.content import make_content
from haq.search.memory import RememberedEvaluator, RememberedImages
from haq.search.racing import EVERY, PILOTS, RacingEvaluator
from haq.search.rater import Rater
from haq.search.request import SearchRequest
from haq.search.rows_evaluator import RowsEvaluator
from haq.sharing import TunedEvaluator, kmeans_quantizer
from haq.store import Store
from haq.store.entries import Entries
from haq.ways import How
from quant.evaluate import Score
from quant.naive import Arithmetic
from quant.ncnn.capabilities import Capabilities
from quant.policy import Policy
from quant.quantized import Quantizer


class Evaluation:
    """Evaluators, quantizers and sizes; what was scored once is found in the store."""

    def __init__(
        self,
        request: SearchRequest,
        subject: Subject,
        splits: Splits,
        capabilities: Capabilities,
        store: Store,
        progress: Progress,
        start: StartWorkers,
    ) -> None:
        """`start` says who evaluates while it is searched."""
        self._start = start
        self._request, self._subject, self._splits = request, subject, splits
        self._capabilities, self._store, self._progress = capabilities, store, progress
        self._content = make_content(request, subject, splits, capabilities)
        self._metric = beside_top1(request.metric, subject.network.graph)
        shares = request.shares_weights
        self.sharing = kmeans_quantizer(subject, splits.calibration) if shares else None
        self.tuned = (
            TunedEvaluator(
                *(subject, self.sharing, splits.calibration, splits.test, progress),
                metric=self._metric,
            )
            if self.sharing
            else None
        )
        self._quantizers: dict[str, Quantizer] = {}

    @property
    def arithmetic(self) -> Arithmetic:
        """ncnn's where ncnn can run every policy that may be proposed."""
        return "ncnn" if self._request.is_deployable else "simulated"

    @cached_property
    def race(self) -> RacingEvaluator:
        """Scores on the validation images: as few as it takes, or all where a metric needs them."""
        images = self._splits.validation
        return RacingEvaluator(
            RememberedImages(self._workers.see, self._entries(images, self._how)),
            self._workers.float_logits,
            images.labels,
            pilots=EVERY if self._metric else PILOTS,
            seed=self._request.seed,
            advance=self._progress.advance,
        )

    @property
    def float_metric(self) -> float | None:
        """The metric of the float network on the validation images, if one was asked for."""
        if self._metric is None:
            return None
        return self._metric(self._workers.float_logits, self._splits.validation.labels)

    @cached_property
    def rater(self) -> Rater:
        """Scores on the test images, by everything that can compute them."""
        test = self._splits.test
        arithmetics: set[Arithmetic] = {"ncnn", self.arithmetic}
        own = {kind: self._final(test, kind) for kind in arithmetics}
        in_torch = self._final(test, "ncnn", "torch")
        tuned = (
            # Its steps are epochs, and counted already.
            RememberedEvaluator(self.tuned, self._entries(test, "finetuned"), Silent())
            if self.tuned
            else None
        )
        return Rater(own, in_torch, tuned, partial(runs_here, capabilities=self._capabilities))

    def as_exported(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores on the validation images, quantized as a whole like what is exported."""
        quick, whole = (self.quantizer(self.arithmetic, final) for final in (False, True))
        if quick is whole:
            return self.race.complete(policies)
        return self._final(self._splits.validation, self.arithmetic).score(policies)

    def prober(self, images: int, progress: Progress) -> RememberedEvaluator:
        """Scores on the first validation images, so many at most."""
        validation = self._splits.validation
        some = validation.rows(0, min(images, len(validation)) - 1)
        evaluator = RowsEvaluator(self._workers, validation.labels, np.arange(len(some)))
        return RememberedEvaluator(evaluator, self._entries(some, self._how), progress)

    def quantizer(self, arithmetic: Arithmetic, final: bool) -> Quantizer:
        """Episodes pick from a table; what is kept in the end is quantized as a whole."""
        if self.sharing is not None and arithmetic == "simulated":
            return self.sharing
        asked = self._request.quantizer
        name: QuantizerName = "table" if asked == "best" and not final else asked
        key = f"{name} {arithmetic}"
        if key not in self._quantizers:
            self._quantizers[key] = make_quantizer(
                name, self._subject, self._splits.calibration, arithmetic, self._progress
            )
        return self._quantizers[key]

    def size(self, policy: Policy) -> int:
        """Bytes of the weights: of ncnn's file where it can run the policy, else of a formula."""
        if policy.is_deployable:
            return export.weight_bytes(self._subject, policy, self._capabilities)
        graph = self._subject.network.graph
        make = codebook_cost if self.sharing else size_cost
        choices = self._request.choices(graph)
        return int(make(graph, choices).cost(policy))

    @cached_property
    def _workers(self) -> Workers:
        """They hold the validation images and everything that policies are made from."""
        validation, device = self._splits.validation, self._request.device
        return self._start(self._maker(validation, self.arithmetic, final=False, device=device))

    @property
    def _how(self) -> str:
        """How episodes are scored, and where if not on the CPU."""
        device = self._request.device
        return self.arithmetic if device == "cpu" else f"{self.arithmetic} {device}"

    def _final(
        self, images: Images, arithmetic: Arithmetic, how: How = "auto"
    ) -> RememberedEvaluator:
        evaluator = self._maker(images, arithmetic, True, how)()
        entries = self._entries(images, f"final {arithmetic} {how}")
        return RememberedEvaluator(evaluator, entries, self._progress)

    def _maker(
        self,
        images: Images,
        arithmetic: Arithmetic,
        final: bool,
        how: How = "auto",
        device: TorchDevice = "cpu",
    ) -> Callable[[], PolicyEvaluator]:
        """Makes an evaluator in this process or in another one."""
        given = (self._subject, images, self._capabilities, arithmetic, how, device)
        quantizer = self.quantizer(arithmetic, final)
        return partial(make_evaluator, *given, quantizer=quantizer, metric=self._metric)

    def _entries(self, images: Images, how: str) -> Entries:
        return self._store.evaluations(self._content.digest(images, how=how))
