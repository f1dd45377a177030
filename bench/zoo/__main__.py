"""`python -m bench.zoo`: a short search for every network that `haq models` lists.

One row a network: latency as a ratio to float, KL from float, and size of all-int8 and of what
was searched. A network that fails is named, and the others go on. Rows are written as they come;
what is there already is not run again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.evaluation.__main__ import machine
from bench.zoo.rows import Row, search
from haq.names import NETWORKS

RESULTS = Path(__file__).with_name("results.json")
EPISODES = 3


def main() -> None:
    """Search, print and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.zoo", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("names", nargs="*", metavar="name", help="networks [default: all]")
    given, options = parser.parse_known_args()
    rows = {row["name"]: row for row in read_rows(given.out)}
    for name in given.names or NETWORKS:
        if name not in rows:
            with TemporaryDirectory() as folder:
                how = ("--episodes", str(given.episodes), *options)
                rows[name] = search(name, how, Path(folder) / "run")
            found = {"machine": machine(), "rows": list(rows.values())}
            given.out.write_text(json.dumps(found, indent=1) + "\n")
        print(line(rows[name]), flush=True)


def read_rows(file: Path) -> list[Row]:
    """What is known; networks that failed are tried again."""
    if not file.is_file():
        return []
    rows: list[Row] = json.loads(file.read_text())["rows"]
    return [row for row in rows if "failed" not in row]


def line(row: Row) -> str:
    """A row for people."""
    if "failed" in row:
        return f"{row['name']:20} failed: {row['failed']}"
    parts = [
        f"{kind} {row[kind]['latency_ratio']:.3f} {row[kind]['kl']:.2g} "
        f"{row[kind]['size_bytes'] / 1e6:.2f} MB"
        for kind in ("float", "int8", "searched")
    ]
    return f"{row['name']:20} {'   '.join(parts)}"


if __name__ == "__main__":
    main()
