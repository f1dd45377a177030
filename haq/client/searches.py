"""Searches: begin, look at, pause, go on, cancel, clone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from haq.client._base import Part, path_of
from haq.client.answers import Search, State, read_search, read_searches
from haq.client.spec import SearchFields, SearchSpec, usual_spec

if TYPE_CHECKING:
    from typing_extensions import Unpack

PAGE = 200


class Searches(Part):
    """The client's methods about them."""

    def begin(self, spec: SearchSpec | None = None, **fields: Unpack[SearchFields]) -> Search:
        """Put a search into the queue: a spec, with other values for the fields that are given.

        Without a spec a network has its usual images, unless `data` names others.
        """
        asked = replace(spec or usual_spec(fields.get("model", SearchSpec.model)), **fields)
        return self._connection.post(path_of("searches"), read_search, asdict(asked))

    def searches(self, state: State | None = None) -> Iterator[Search]:
        """All, or those in a state, the newest first; asked for page by page."""
        before = None
        while True:
            place = {"state": state, "before": before, "limit": PAGE}
            page = self._connection.get(path_of("searches"), read_searches, place)
            yield from page.searches
            before = page.next
            if before is None:
                return

    def search(self, search_id: str) -> Search:
        """One search, as it is now."""
        return self._connection.get(path_of("searches", search_id), read_search)

    def pause(self, search_id: str) -> Search:
        """Stop it for now; nothing is lost."""
        return self._ask_to(search_id, "pause")

    def resume(self, search_id: str) -> Search:
        """Go on with one that is paused, exactly where it stood."""
        return self._ask_to(search_id, "resume")

    def cancel(self, search_id: str) -> Search:
        """End it for good; its trials stay."""
        return self._ask_to(search_id, "cancel")

    def clone(self, search_id: str, **changes: Unpack[SearchFields]) -> Search:
        """A new search like another one, with changes."""
        path = path_of("searches", search_id, "clone")
        return self._connection.post(path, read_search, dict(changes))

    def _ask_to(self, search_id: str, verb: str) -> Search:
        return self._connection.post(path_of("searches", search_id, verb), read_search)
