"""One trial of a search: its policy, and what came of it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.pages.bits import bits_chart
from api.pages.policies import find_policy
from api.pages.render import page
from api.routes._common import SearchId, TheService
from api.routes.trials import Episode

router = APIRouter(prefix="/runs/{search_id}/trials")


@router.get("/{episode}")
def show_trial(
    request: Request, search_id: SearchId, episode: Episode, service: TheService
) -> Response:
    """Bits of every layer, costs and scores."""
    shown = find_policy(service, search_id, episode)
    title = f"Bits of every layer of trial {episode}"
    return page(request, "trial.html", policy=shown, chart=bits_chart(shown.layers, title))
