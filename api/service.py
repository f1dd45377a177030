"""Everything behind the routes."""

from __future__ import annotations

from api.access.guard import Gate
from api.access.keys import Keys
from api.access.rate import Rates
from api.access.sessions import Sessions, load_secret
from api.events.hub import Hub
from api.files.datasets import Datasets
from api.files.models import Models
from api.idempotency import Answers
from api.jobs import Jobs
from api.known import KnownTrials
from api.metrics import Metrics
from api.settings import Settings
from api.standings import Standings
from api.store import open_database
from api.trail import Trail
from api.workers.crew import Crew
from haq.store.run_folder import make_folder


class Service:
    """Its parts, on one database. Raises InputError, StorageError where that cannot be had."""

    def __init__(self, settings: Settings) -> None:
        for folder in (settings.data_dir, settings.runs_dir, settings.models_dir):
            make_folder(folder)
        self.settings = settings
        self.database = open_database(settings.store_url)
        self.jobs = Jobs(self.database)
        self.keys = Keys(self.database, settings.admin_key)
        secret = load_secret(settings.data_dir / "session.key")
        self.sessions = Sessions(secret, settings.session_s)
        self.gate = Gate(self.keys, self.sessions, Rates(), settings.per_minute)
        self.answers = Answers(self.database)
        self.trail = Trail(self.database)
        self.models = Models(self.database, settings.models_dir)
        self.datasets = Datasets(self.database, settings.data_roots)
        self.hub = Hub(self.jobs, self.database)
        self.standings = Standings(self.database)
        self.known = KnownTrials(self.database)
        self.metrics = Metrics()
        self.crew = Crew(settings)

    def start(self) -> None:
        """Start the workers."""
        self.crew.start()

    def close(self) -> None:
        """Stop the workers; what they had is taken up later."""
        self.crew.close()
        self.database.close()
