"""What a run leaves on disk."""

from haq.store.run_folder import RunFolder, write_json
from haq.store.store import Store, open_store

__all__ = ["RunFolder", "Store", "open_store", "write_json"]
