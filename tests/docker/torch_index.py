"""Where an image gets torch from on a machine that does not reach torch's own index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

VARIABLE = "TORCH_INDEX"


@contextmanager
def torch_args() -> Iterator[dict[str, str]]:
    """The build argument that TORCH_INDEX says: none, an index, or a folder of wheels as one."""
    given = os.environ.get(VARIABLE, "")
    if Path(given).is_dir() and given:
        with serving(Path(given)) as url:
            yield {VARIABLE: url}
    else:
        yield {VARIABLE: given} if given else {}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of an index with one project, whose wheels are those of a folder."""
    with TemporaryDirectory() as index:
        (Path(index) / "torch").symlink_to(folder.absolute())
        handler = partial(SimpleHTTPRequestHandler, directory=index)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}"
            server.shutdown()
