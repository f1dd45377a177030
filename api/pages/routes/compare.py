"""Policies or searches side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.jobs import Job
from api.pages.charts.curves import Run, best_curves
from api.pages.comparison import compared_chart, differing_settings, layer_lines, letter
from api.pages.fronts import Charted, Front, joint_front
from api.pages.policies import find_policy
from api.pages.render import page
from api.routes._common import TheService
from api.schema import Search
from api.service import Service
from api.views import show_all, summary_of
from quant.errors import InputError

router = APIRouter(prefix="/compare")
FEW, MANY = 2, 4
ALIKE = frozenset({"model", "data", "calibration"})
"""Settings without which divergences cannot be compared."""
SearchName = Annotated[str, Query(pattern=r"^[0-9a-f]{32}$")]
PolicyName = Annotated[str, Query(pattern=r"^[0-9a-f]{32}:[0-9]{1,8}$")]


@router.get("")
def compare(
    request: Request,
    service: TheService,
    policy: Annotated[Sequence[PolicyName], Query()] = (),
    run: Annotated[Sequence[SearchName], Query()] = (),
) -> Response:
    """What `policy=RUN:TRIAL` or `run=RUN` name, each two to four times."""
    policies, runs = list(dict.fromkeys(policy)), list(dict.fromkeys(run))
    for names in (policies, runs):
        if names and not FEW <= len(names) <= MANY:
            raise InputError("choose two to four to compare")
    if policies:
        return compare_policies(request, service, policies)
    return compare_runs(request, service, runs)


def compare_policies(request: Request, service: Service, names: list[str]) -> Response:
    """Layer by layer."""
    marks = [name.split(":") for name in names]
    policies = [find_policy(service, search_id, int(episode)) for search_id, episode in marks]
    lines = layer_lines(policies)
    chart = compared_chart(policies, lines)
    template = "compare_policies.html"
    return page(request, template, policies=policies, lines=lines, chart=chart, letter=letter)


def compare_runs(request: Request, service: Service, names: list[str]) -> Response:
    """Settings, results and curves; without any names, how to come by some."""
    jobs = [service.jobs.get(name) for name in names]
    searches, charted = show_all(service, jobs), [to_charted(service, job) for job in jobs]
    called = [f"{letter(n)}: {search.id[:8]}" for n, search in enumerate(searches)]
    kls = [[trial["kl"] for trial in one.trials] for one in charted]
    curves = [Run(name, kl) for name, kl in zip(called, kls, strict=True)]
    return page(
        request,
        "compare_runs.html",
        searches=searches,
        names=called,
        settings=differing_settings(searches) if searches else {},
        front=front_of_all(searches, charted),
        chart=best_curves(curves) if curves else None,
    )


def to_charted(service: Service, job: Job) -> Charted:
    """What charts need of a search."""
    budgets = job.spec["spec"]["budgets"]
    return Charted(service.known.of(job.id), summary_of(service, job), budgets)


def front_of_all(searches: Sequence[Search], charted: Sequence[Charted]) -> Front | None:
    """Of what was found for one network on the same images; None for anything else."""
    if not searches or ALIKE & differing_settings(searches).keys():
        return None
    return joint_front({letter(place): one for place, one in enumerate(charted)})
