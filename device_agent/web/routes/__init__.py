"""The routes of the agent, one file a noun."""

from fastapi import APIRouter

from device_agent.web.routes import device, files, jobs, leases, metrics, networks, status

ROUTERS: tuple[APIRouter, ...] = (
    device.router,
    files.router,
    networks.router,
    leases.router,
    jobs.router,
    status.router,
    metrics.router,
)
