"""Who may use the service, and who changed what."""

from __future__ import annotations

from collections.abc import Sequence

from haq.client._base import Part, path_of
from haq.client.answers import AuditLine, Key, MadeKey, Role, read_audit, read_keys, read_made_key
from haq.client.failures import ServerLostError


class Keys(Part):
    """The client's methods about them; they take a key with the role admin."""

    def keys(self) -> Sequence[Key]:
        """Those in force, without their secrets."""
        return self._connection.get(path_of("keys"), read_keys)

    def add_key(
        self,
        name: str,
        role: Role,
        per_minute: int | None = None,
        max_searches: int | None = None,
    ) -> MadeKey:
        """Make a key; its secret is told this once.

        Raises ServerError; a ServerLostError where the key was made and its secret was lost.
        """
        body = {"name": name, "role": role, "per_minute": per_minute, "max_searches": max_searches}
        made = self._connection.post(path_of("keys"), read_made_key, body)
        if made.secret is None:
            raise ServerLostError(
                f"the key {name} was made, but its secret was lost on the way: revoke it and make "
                "one of another name"
            )
        return made

    def revoke_key(self, name: str) -> None:
        """It opens nothing any more, from now on."""
        self._connection.delete(path_of("keys", name))

    def audit(self, limit: int = 100) -> Sequence[AuditLine]:
        """Who changed what, the newest first."""
        return self._connection.get(path_of("audit"), read_audit, {"limit": limit})
