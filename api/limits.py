"""How large a body may be."""

from __future__ import annotations

from starlette._utils import get_route_path
from starlette.types import Scope

from api.routes.models import PATH
from device_agent.web import limits


class BodyLimit(limits.BodyLimit):
    """As the device agent's; models are what may be large here."""

    def limit(self, scope: Scope) -> int:
        """The most bytes that the route takes."""
        upload = scope["method"] == "POST" and get_route_path(scope) == PATH
        return self.max_upload_bytes if upload else self.max_request_bytes
