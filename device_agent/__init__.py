"""The device agent: a web service on the board that measures ncnn latency. Imports no torch.

`haq-agent` or `uvicorn device_agent:app` starts it; settings come from HAQ_AGENT_* variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    app: FastAPI


def __getattr__(name: str) -> FastAPI:
    """Make `app` when it is asked for: the measuring child imports this package without it."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from device_agent.web.start import make_app_for_uvicorn

    globals()["app"] = created = make_app_for_uvicorn()
    return created
