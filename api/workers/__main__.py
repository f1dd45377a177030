"""`python -m api.workers`: a worker, until a signal ends it."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

from api.jobs import Jobs
from api.settings import load_settings
from api.store import open_database
from api.workers.worker import Worker
from device_agent.web.logs import configure_logs
from quant.errors import HaqError


def main() -> None:
    """Work until told to stop; one line and exit code 2 where it cannot."""
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    configure_logs()
    try:
        settings = load_settings()
        settings.runs_dir.mkdir(parents=True, exist_ok=True)
        Worker(Jobs(open_database(settings.store_url)), settings, stop).run()
    except HaqError as error:
        print(f"haq: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
