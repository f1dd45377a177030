"""What a searcher knew, kept in generations: one that is damaged leaves the one before."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import delete, select

from haq.store.database import Database
from haq.store.schema import CHECKPOINTS

GENERATIONS = 2


class Checkpoints:
    """Bytes by the number of episodes after which they were taken."""

    def __init__(self, database: Database, run_id: str) -> None:
        self._database, self._run_id = database, run_id

    def put(self, episodes: int, data: bytes) -> None:
        """Keep the bytes, and of older ones all but the newest. Raises StorageError."""
        kept = [known for known in self._numbers() if known != episodes][: GENERATIONS - 1]
        columns = CHECKPOINTS.columns
        others = delete(CHECKPOINTS).where(
            columns.run_id == self._run_id, columns.episodes.not_in(kept)
        )
        row = {"run_id": self._run_id, "episodes": episodes, "data": data}
        self._database.write((others, []), (CHECKPOINTS.insert(), [row]))

    def newest_first(self) -> Iterator[tuple[int, bytes]]:
        """Episodes and bytes of what is kept."""
        columns = CHECKPOINTS.columns
        for episodes in self._numbers():
            (row,) = self._database.read(
                select(columns.data).where(
                    columns.run_id == self._run_id, columns.episodes == episodes
                )
            )
            yield episodes, row.data

    def _numbers(self) -> list[int]:
        columns = CHECKPOINTS.columns
        rows = self._database.read(
            select(columns.episodes)
            .where(columns.run_id == self._run_id)
            .order_by(columns.episodes.desc())
        )
        return [row.episodes for row in rows]
