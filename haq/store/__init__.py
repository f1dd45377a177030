"""What a run leaves on disk."""

from haq.store.journal import Journal
from haq.store.run_folder import RunFolder, write_json

__all__ = ["Journal", "RunFolder", "write_json"]
