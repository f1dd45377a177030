from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from haq.client import Client, SearchSpec, ServerLostError
from haq.search.asked import Asked
from quant.errors import BudgetError
from tests.device_agent.server import RUNNING
from tests.haq.cli.program import Done, haq
from tests.haq.cli.test_app import PROGRAM
from tests.haq.cli.test_interrupt import interrupted
from tests.haq.cli.there import working
from tests.haq.client.served import Served, serving
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.subjects import cropped, write_images, write_small_weights

EPISODES = ("--episodes", "3", "--bits", "8,32", "--observer", "absmax")
SETTINGS = (*EPISODES, "--budget", "size=0.9x")
RANDOM = ("--agent", "random", "--quantizer", "naive")
QUICK = (*SETTINGS, "--agent", "uniform", "--quantizer", "naive")
FILES = {
    *("policy.json", "mbv2.ncnn.param", "mbv2.ncnn.bin", "metadata.yaml", "mbv2.onnx"),
    *("report.html", "summary.json", "trials.jsonl", "harm.json"),
}
START_TIMEOUT_S = 120.0


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Images that fit the small network, where the server may read them."""
    return write_images(tmp_path / "roots" / "photos", cropped("test", 20))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_small_weights(tmp_path / "Small Net.safetensors")


@pytest.fixture
def served(
    tmp_path: Path, photos: Path, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    """A server that knows the images as `photos`.

    It starts no process of its own to look at weights and budgets: its own tests have these.
    """
    monkeypatch.setattr(
        "api.routes.models.check_weights",
        lambda path, input_size, padding, **declared: {
            "input_size": input_size or 32,
            "padding": padding or "torch",
        },
    )
    monkeypatch.setattr("api.asking.check_reach", lambda asked: None)
    with serving(tmp_path, data_roots=(photos.parent,)) as found:
        with found.client() as client:
            client.register_dataset("photos", str(photos))
        yield found


def there(served: Served, *options: object) -> Done:
    return haq("--server", served.url, "search", *options)


def last_line(done: Done) -> str:
    """The error behind what was told before."""
    assert done.code == 2
    return done.err.splitlines()[-1]


def result_of(summary: dict[str, Any]) -> object:
    """What does not depend on time and place."""
    best = summary["best"]
    uniform = {name: [row["kl"], row["size_bytes"]] for name, row in summary["uniform"].items()}
    return best["policy"], best["kl"], best["top1"], best["size_bytes"], uniform


def test_a_search_there_ends_as_it_would_here(
    served: Served, weights: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haq.connect.open_boards", lambda *where: SimulatedBoard())
    what = ("--weights", weights, "--input", "16", *QUICK, "--json")
    here = haq("search", *what, "--data", photos, "--out", "here")
    with working(served.service):
        far = there(served, *what, "--data", "photos", "--out", "runs/far")
    assert (here.code, far.code) == (0, 0), far.err
    assert len(far.out.splitlines()) == 1
    assert list(far.result) == list(here.result)
    assert result_of(far.result) == result_of(here.result)
    assert far.result["run"] == "runs/far"
    assert far.result["exports"]["onnx"] == "runs/far/mbv2.onnx"
    assert {file.name for file in Path("runs/far").iterdir()} == FILES
    (search,) = served.service.jobs.page()
    assert far.err.splitlines()[0] == f"search {search.id} on {served.url}"
    assert re.search(r"^[a-z ]+ \(\d+\)$", far.err, re.MULTILINE), "no stage is told"
    assert far.err.splitlines()[-1] == "report: runs/far/report.html"
    table = [line for line in here.err.splitlines() if line.startswith(" ")]
    assert [line for line in far.err.splitlines() if line.startswith(" ")] == table


@pytest.mark.usefixtures("few_faces")
def test_a_class_for_every_pixel_is_judged_by_the_metric_that_was_asked_for(
    served: Served, cwd: Path
) -> None:
    metric, what = ("--metric", "miou", "--reward", "metric"), ("--model", "mbv2_seg", *SETTINGS)
    with working(served.service):
        done = there(served, *what, "--data", "faces", *metric, *RANDOM, "--json", "--out", "run")
    assert done.code == 0, done.err
    best = done.result["best"]["metric"]
    assert (best["name"], 0.5 < best["value"] <= 1) == ("miou", True)
    assert re.search(r"top-1 +KL +miou", done.err)
    assert {"mbv2_seg.ncnn.param", "mbv2_seg.onnx"} < {file.name for file in cwd.glob("run/*")}
    (search,) = served.service.jobs.page()
    with served.client() as client:
        trials, front = list(client.trials(search.id)), client.pareto(search.id)
    metrics = [one.metric for part in (trials, front.marks) for one in part if one.metric]
    assert {one.name for one in metrics} == {"miou"}
    assert len(metrics) == len(trials) + len(front.marks) > 3
    # A tenth of a share is a reward of 1, whatever the float network has.
    earned = [
        (trial.reward or 0.0) - 10 * one.value for trial, one in zip(trials, metrics, strict=False)
    ]
    assert earned == pytest.approx([earned[0]] * 3)
    page = httpx2.get(f"{served.url}/runs/{search.id}?y=metric&sort=metric", trust_env=False).text
    assert re.search(r"found: miou <strong>\d\d\.\d %", page)
    assert "miou against size, ratio to float" in page
    assert "top-1" not in page


def test_a_sweep_there_is_a_search_for_each_bound(
    served: Served, weights: Path, photos: Path
) -> None:
    what = (
        *("--weights", weights, "--input", "16", "--data", "photos", "--bits", "2-8"),
        *("--episodes", "3", *RANDOM, "--observer", "absmax", "--budget", "bops=0.1x"),
    )
    bounds = ("--budget", "size=0.15x, 0.2x")
    with working(served.service):
        far = there(served, *what, *bounds, "--out", "runs/far", "--json")
    assert far.code == 0, far.err
    assert [entry["bound"] for entry in far.result["front"]] == ["size=0.15x", "size=0.2x"]
    assert all(e["cost_ratio"] <= float(e["bound"][5:-1]) for e in far.result["front"])
    assert [search.spec["spec"]["budgets"] for search in served.service.jobs.page()] == [
        ["bops=0.1x", "size=0.2x"],
        ["bops=0.1x", "size=0.15x"],
    ]
    page = Path("runs/far/report.html").read_text()
    assert page.count("report.html") >= 2
    for entry in far.result["front"]:
        folder = Path("runs/far") / entry["bound"].replace("=", "-")
        assert entry["run"] == str(folder)
        assert f"{folder.name}/report.html" in page
        own = json.loads((folder / "summary.json").read_text())
        assert (own["best"]["kl"], len(list(folder.glob("*.onnx")))) == (entry["kl"], 1)
    (compared,) = re.findall(r"side by side: (http\S+)", far.err)
    assert httpx2.get(compared, trust_env=False).status_code == 200
    assert far.err.splitlines()[-1] == "report: runs/far/report.html"


def test_a_bound_that_is_refused_leaves_no_other_one_behind(
    served: Served, monkeypatch: pytest.MonkeyPatch, cwd: Path
) -> None:
    def refuse(asked: Asked) -> None:
        if "size=0.01x" in asked.budget:
            raise BudgetError("the budget of 0.01 x cannot be met")

    monkeypatch.setattr("api.asking.check_reach", refuse)
    done = there(served, "--budget", "size=0.5x,0.01x")
    assert (done.code, "the budget of 0.01 x cannot be met" in done.error) == (2, True)
    assert [job.state for job in served.service.jobs.page()] == ["cancelled"]
    assert list(cwd.iterdir()) == []


def test_a_bound_without_a_result_does_not_lose_the_others(served: Served, weights: Path) -> None:
    what = ("--weights", weights, "--input", "16", "--data", "photos", *EPISODES, *RANDOM)
    with working(served.service, failing="size=0.3x"):
        done = there(served, *what, "--budget", "size=0.3x,0.9x", "--out", "far", "--json")
    assert done.code == 0, done.err
    assert [entry["bound"] for entry in done.result["front"]] == ["size=0.9x"]
    told = "size=0.3x: the search failed on the server: it was made to"
    assert told in done.err
    assert told in Path("far/report.html").read_text()


def test_a_sweep_of_which_nothing_comes(served: Served, cwd: Path) -> None:
    with working(served.service, failing="size"):
        done = there(served, "--budget", "size=0.3x,0.9x")
    assert "size=0.3x: the search failed on the server" in last_line(done)
    assert "size=0.9x: the search failed on the server" in last_line(done)
    assert list(cwd.iterdir()) == []


def test_a_search_that_has_ended_is_fetched_once_more(served: Served, weights: Path) -> None:
    what = ("--weights", weights, "--input", "16", "--data", "photos", *QUICK)
    with working(served.service):
        first = there(served, *what, "--out", "one")
        second = there(served, *what, "--seed", "1", "--out", "two")
    assert (first.code, second.code) == (0, 0), first.err
    assert len(served.service.models.all()) == 1
    later, earlier = served.service.jobs.page()
    Path("one/policy.json").unlink()
    Path("one/policy.json.partial").write_bytes(b"half")
    again = there(served, "--follow", earlier.id, "--out", "one", "--json")
    assert again.code == 0
    assert {file.name for file in Path("one").iterdir()} == FILES
    assert again.result["run"] == "one"
    other = there(served, "--follow", later.id, "--out", "one")
    assert "one holds" in last_line(other)
    assert "of something else: name another --out" in last_line(other)


def test_every_option_arrives(
    served: Served, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haq.cli._attend.attend", lambda *search: None)
    boards = Path(served.service.settings.boards_file)
    boards.write_text('{"pi5": {"url": "http://127.0.0.1:9", "address": "127.0.0.1"}}')
    many = (
        *("--weights", weights, "--input", "16", "--padding", "same", "--data", "photos:0-9"),
        *("--calibration", "photos:10-19", "--budget", "latency=0.9x", "--bits", "8,16"),
        *("--agent", "haq", "--start", "walk", "--reward", "metric", "--quantizer", "table"),
        *("--observer", "mse", "--equalize", "--episodes", "5", "--parallel", "2"),
        *("--metric", "top5", "--seed", "4", "--threads", "2", "--board", "pi5"),
    )
    done = there(served, *many)
    assert (done.code, done.err) == (0, "")
    with served.client() as client:
        (search,), (model,) = client.searches(), client.models()
    assert search.spec == SearchSpec(
        model=model.name,
        data="photos:0-9",
        calibration="photos:10-19",
        budgets=("latency=0.9x",),
        bits="8,16",
        agent="haq",
        start="walk",
        reward="metric",
        metric="top5",
        quantizer="table",
        observer="mse",
        equalize=True,
        episodes=5,
        parallel=2,
        seed=4,
        threads=2,
        boards=("pi5",),
    )
    assert re.fullmatch(r"small-net-[0-9a-f]{12}-mbv2-16-same", model.name)
    assert (model.input_size, model.padding) == (16, "same")


def test_without_options_it_is_the_search_that_haq_begins_here(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haq.cli._attend.attend", lambda *search: None)
    assert there(served).code == 0
    with served.client() as client:
        assert [search.spec for search in client.searches()] == [SearchSpec()]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--resume", "run"), "--resume"),
        (("--store", "sqlite:///x"), "--store"),
        (("--workers", "2"), "--workers"),
        (("--ray", "auto"), "--ray"),
        (("--table", "x.npy"), "--table"),
        (("--energy-table", "x.json"), "--energy-table"),
        (("--pareto", "3"), "--pareto 3 spreads bounds over what can be reached, which a server"),
        (
            ("--metric", "own:judge"),
            "--metric own:judge is none of top1, top5, miou, f1: a server runs no",
        ),
        (("--metric", "iou"), "--metric iou is none of"),
        (("--cores", "big"), "--cores"),
        (("--board-key", "k"), "--board-key"),
        (("--board-ca", "ca.pem"), "--board-ca"),
        (("--patience", "1"), "--patience"),
        (("--input", "64"), "--input"),
        (("--padding", "same"), "--padding"),
        (("--budget", "size=0.5x,0.50x"), "two bounds of 'size=0.5x,0.50x' are equal"),
        (("--budget", "size=0.5x,big"), "size=big"),
        (("--board", "http://pi5:8100"), "--board http://pi5:8100 is no name"),
        (("--data", "fashion-mnist"), "--data fashion-mnist is not on the server"),
        (("--weights", "absent.safetensors"), "no such weights file: absent.safetensors"),
        (("--model", "absent.onnx"), "no such model file: absent.onnx"),
        (("--model", "mine:make"), "--model mine:make is code, and a server runs none"),
        (("--follow", "0" * 32, "--seed", "3"), "leave out --seed"),
        (("--follow", "0" * 32), "there is no search 0000"),
        (("--bits", "seven"), "answers 422"),
    ],
)
def test_what_cannot_be_there_is_one_line(
    options: tuple[str, ...], named: str, served: Served, cwd: Path
) -> None:
    done = there(served, *options)
    assert done.code == 2
    assert named in done.error
    assert served.service.jobs.page() == []
    assert list(cwd.iterdir()) == []


def test_settings_of_this_machine_do_not_count_there(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haq.cli._attend.attend", lambda *search: None)
    monkeypatch.setenv("HAQ_STORE", "sqlite:///here")
    monkeypatch.setenv("HAQ_AGENT_KEY", "key of a board")
    assert there(served).code == 0


@pytest.mark.parametrize("option", ["--data", "--calibration"])
def test_images_that_are_here_are_to_be_registered_there(
    option: str, served: Served, photos: Path
) -> None:
    done = there(served, option, f"{photos}:0-9")
    assert (done.code, f"{option} {photos} is here, not on the server" in done.error) == (2, True)
    assert "register_dataset(NAME, PATH)" in done.error


def test_weights_of_another_kind_are_not_sent(served: Served, cwd: Path) -> None:
    (cwd / "weights.pth").write_bytes(b"")
    assert "a server takes no other weights" in there(served, "--weights", "weights.pth").error


def test_a_network_that_is_a_file_is_uploaded_once(
    served: Served, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haq.cli._attend.attend", lambda *search: None)
    (cwd / "My Net.onnx").write_bytes(b"looked at elsewhere")
    for _ in range(2):
        assert there(served, "--model", "My Net.onnx").code == 0
    with served.client() as client:
        (model,) = client.models()
        assert {search.spec.model for search in client.searches()} == {model.name}
    assert re.fullmatch(r"my-net-[0-9a-f]{12}", model.name)
    assert model.architecture == "onnx"
    both = there(served, "--model", "My Net.onnx", "--weights", "w.safetensors")
    assert "My Net.onnx holds its weights: leave out --weights" in both.error


def test_a_folder_that_holds_something_is_seen_before_anything_begins(
    served: Served, cwd: Path
) -> None:
    (cwd / "run").mkdir()
    (cwd / "run" / "notes").write_text("mine")
    done = there(served, "--out", "run")
    assert (done.code, done.error) == (2, "run holds something already: name another --out")
    assert served.service.jobs.page() == []


def test_a_search_that_fails_there(served: Served, photos: Path) -> None:
    (photos / "0.png").write_bytes(b"broken")
    with working(served.service):
        done = there(served, "--data", "photos", *SETTINGS)
    assert last_line(done).startswith("haq: the search failed on the server: ")
    assert not Path("runs").exists()


def test_a_search_that_is_cancelled_there(served: Served) -> None:
    with served.client() as client:
        ended = client.cancel(client.begin().id)
    done = there(served, "--follow", ended.id)
    assert last_line(done).startswith("haq: the search was cancelled on the server")


def test_a_server_that_is_lost_meanwhile(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(client: Client, search_id: str) -> Iterator[None]:
        raise ServerLostError("the server was lost")

    monkeypatch.setattr(Client, "events", lost)
    done = there(served, "--out", "my run")
    (search,) = served.service.jobs.page()
    again = f"haq --server {served.url} search --follow {search.id} --out 'my run'"
    told = "haq: the server was lost; the server has the search, to follow it: "
    assert last_line(done) == f"{told}{again}"


def test_who_stops_is_told_how_to_come_back(served: Served, cwd: Path) -> None:
    with served.client() as client:
        made = client.begin()
    secret = served.service.keys.add("anna", "run")
    program = [f"HAQ_SERVER_KEY={secret}", *PROGRAM, "--server", served.url]
    code, said, _ = interrupted([*program, "search", "--follow", made.id], "queued", cwd)
    assert code == 130
    follow, cancel, end = said.splitlines()
    assert f"haq --server {served.url} search --follow {made.id} --out runs/mbv2-" in follow
    url = f"{served.url}/v1/searches/{made.id}/cancel"
    assert f'curl -X POST {url} -H "Authorization: Bearer $HAQ_SERVER_KEY"' in cancel
    assert end == "haq: interrupted"
    assert secret not in said
    assert served.service.jobs.get(made.id).state == "queued"
    environment = {**os.environ, "HAQ_SERVER_KEY": secret}
    command = cancel.partition(": ")[2].replace("curl", "curl --silent --noproxy '*'")
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, env=environment)
    assert served.service.jobs.get(made.id).state == "cancelled"


def test_a_wrong_key_is_one_line_without_it(served: Served) -> None:
    served.service.keys.add("anna", "run")
    done = haq("--server", served.url, "--server-key", "wrong-key", "search")
    assert (done.code, "refuses the key" in done.error) == (2, True)
    assert "wrong-key" not in done.error


def test_nobody_there(served: Served) -> None:
    done = haq("--server", "http://127.0.0.1:1", "search")
    assert (done.code, "start it with `haq serve`" in done.error) == (2, True)


def test_following_takes_a_server(cwd: Path) -> None:
    done = haq("search", "--follow", "0" * 32)
    assert (done.code, done.error) == (
        2,
        "--follow takes a server: haq --server URL search --follow ID",
    )


def test_other_commands_are_for_here(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = haq("--server", "http://127.0.0.1:1", "report", "run")
    assert (done.code, done.error) == (
        2,
        "only `haq search` runs on a server: leave out --server",
    )
    monkeypatch.setenv("HAQ_SERVER", "http://127.0.0.1:1")
    assert "run is no run folder" in haq("report", "run").error
    assert "start it with" in haq("search").error


def test_an_empty_address_is_here(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAQ_SERVER", "http://127.0.0.1:1")
    assert "absent" in haq("--server", "", "search", "--weights", "absent.pth").error


@contextmanager
def real_server(folder: Path, roots: Path) -> Iterator[str]:
    """The address of `haq serve` with a worker, in a process of its own."""
    settings = {
        "HAQ_SERVICE_DATA_DIR": str(folder),
        "HAQ_SERVICE_DATA_ROOTS": json.dumps([str(roots)]),
        "HAQ_SERVICE_WORKERS": "1",
    }
    log = folder.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0"],
            stdout=out,
            stderr=out,
            env={**os.environ, **settings},
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (found := RUNNING.search(log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield found[1]
    finally:
        process.terminate()
        process.wait(30)


def test_a_real_server_finds_what_is_found_here(images: Path, tmp_path: Path, cwd: Path) -> None:
    what = (
        *("--budget", "size=0.4x", "--episodes", "8", "--agent", "uniform", "--bits", "8,32"),
        *("--quantizer", "naive", "--observer", "absmax", "--json"),
    )
    # In a process of its own, as there: what torch computes depends on how many threads it has.
    subprocess.run([*PROGRAM, "search", *what, "--data", images, "--out", "here"], check=True)
    with real_server(tmp_path / "service", images.parent) as url:
        with Client(url) as client:
            client.register_dataset("images", str(images))
        done = haq("--server", url, "search", *what, "--data", "images", "--out", "far")
    assert done.code == 0, done.err
    here = json.loads(Path("here/summary.json").read_text())
    assert result_of(done.result) == result_of(here)
    for name in ("policy.json", "mbv2.ncnn.param", "mbv2.ncnn.bin", "mbv2.onnx"):
        assert Path("far", name).read_bytes() == Path("here", name).read_bytes()
