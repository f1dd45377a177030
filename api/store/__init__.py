"""Tables of the service beside those of searches, in one database."""

from api.store.open import open_database

__all__ = ["open_database"]
