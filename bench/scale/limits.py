"""From the measured parts: how many workers have something to do, and where that ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil, inf
from typing import Any


@dataclass(frozen=True)
class Parts:
    """What was measured: seconds, each on one core, and images an episode runs on.

    `first_images` are those that every policy of a batch runs on first, in pieces of `piece`.
    """

    image_s: float
    episode_images: float
    driver_s: float
    task_s: float
    piece: int
    first_images: int

    @property
    def evaluation_s(self) -> float:
        """Of an episode, on one worker."""
        return self.image_s * self.episode_images

    @property
    def driver_limit(self) -> float:
        """Workers that one driver's proposals and decisions keep busy."""
        return self.evaluation_s / self.driver_s if self.driver_s else inf

    @property
    def task_limit(self) -> float:
        """Workers that one driver can hand their pieces to."""
        return self.image_s * self.piece / self.task_s if self.task_s else inf

    def busy_limit(self, parallel: int) -> int:
        """Workers that the first slice of so many episodes gives one piece each."""
        return parallel * ceil(self.first_images / self.piece)

    def seconds(self, workers: int, parallel: int) -> float:
        """Of an episode on so many workers, all of it: work that is shared and the driver's own."""
        used = min(workers, self.busy_limit(parallel), self.task_limit)
        return self.evaluation_s / used + self.driver_s

    def to_json(self, parallels: tuple[int, ...], workers: tuple[int, ...]) -> dict[str, Any]:
        """Parts, limits, and seconds an episode by episodes at once and workers."""
        return {
            **asdict(self),
            "evaluation_s": self.evaluation_s,
            "driver_limit": self.driver_limit,
            "task_limit": self.task_limit,
            "busy_limit": {parallel: self.busy_limit(parallel) for parallel in parallels},
            "episode_s": {p: {w: self.seconds(w, p) for w in workers} for p in parallels},
        }
