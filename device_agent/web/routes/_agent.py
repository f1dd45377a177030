"""The agent of the running application, as routes ask for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from device_agent.agent import Agent


def get_agent(request: Request) -> Agent:
    """The agent of the running application."""
    agent: Agent = request.app.state.agent
    return agent


TheAgent = Annotated[Agent, Depends(get_agent)]
