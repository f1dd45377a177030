from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from haq.cli import _app
from quant import errors
from quant.errors import BoardError, FormatError, HaqError, InputError
from tests.haq.cli.program import haq

PROGRAM = [sys.executable, "-c", "from haq.cli import main; main()"]
COMMANDS = (
    *("search", "evaluate", "quantize", "measure", "profile", "cost", "export", "report"),
    *("train", "finetune", "models"),
    *("serve", "worker"),
)
HEAVY = ("torch", "ncnn", "onnx", "onnxruntime", "stable_baselines3", "matplotlib", "httpx2")


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> Path:
        raise error

    monkeypatch.setattr("haq.report.page.write_report", broken)


def test_a_real_process_ends_with_two_and_one_line(cwd: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "evaluate", "--weights", "absent.pth"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == "haq: no such weights file: absent.pth\n"
    assert done.stdout == ""
    assert list(cwd.iterdir()) == []


def test_the_installed_program_is_main() -> None:
    program = Path(sys.executable).with_name("haq")
    if not program.is_file():
        pytest.skip("the package's console script is not installed beside this Python")
    done = subprocess.run([program, "report", "absent"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "haq: absent is no run folder: give the --out of a search\n"


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys\nfrom haq.cli import main\nsys.argv = ['haq', '--help']\n"
        "try:\n    main()\nfinally:\n"
        f"    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "[]"
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = haq(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Usage: haq {command}" in done.out


def test_no_arguments_are_a_call_for_help() -> None:
    assert haq() == haq("--help")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["conquer"], "conquer"),
        (["evaluate", "--polices", "8"], "--polices"),
        (["evaluate", "--observer", "magic"], "magic"),
        (["evaluate", "--input", "eight"], "integer"),
        (["evaluate", "--input", "8"], "--input"),
        (["search", "--episodes", "0"], "--episodes"),
        (["search", "--seed", "-1"], "--seed"),
        (["search", "--reward", "joy"], "joy"),
        (["export", "--policy", "8"], "--out"),
        (["report"], "run"),
        (["report", "a", "b"], "b"),
    ],
)
def test_a_wrong_command_line_is_one_line_too(arguments: list[str], said: str, cwd: Path) -> None:
    done = haq(*arguments)
    assert done.code == 2
    assert said in done.error.lower()
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize("kind", [InputError, BoardError, FormatError])
def test_errors_on_purpose_are_one_line_and_two(
    kind: type[HaqError], monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(kind("what to do"), monkeypatch)
    done = haq("report", "run")
    assert (done.code, done.out, done.error) == (2, "", "what to do")


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(KeyboardInterrupt(), monkeypatch)
    done = haq("report", "run")
    assert (done.code, done.err.strip()) == (130, "haq: interrupted")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(ModuleNotFoundError("No module named 'onnx'", name="onnx.checker"), monkeypatch)
    done = haq("report", "run")
    expected = "onnx.checker is not installed: pip install 'haq[search]'"
    assert (done.code, done.error) == (1, expected)


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), ModuleNotFoundError("gone", name="haq.gone")]
)
def test_bugs_keep_their_traceback(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(error, monkeypatch)
    with pytest.raises(type(error)):
        haq("report", "run")


def test_every_error_on_purpose_is_drawn_in_the_tree() -> None:
    assert errors.__doc__ is not None
    kinds = {n: k for n, k in vars(errors).items() if isinstance(k, type)}
    assert all(issubclass(kind, HaqError) for kind in kinds.values())
    assert {name for name in kinds if name not in errors.__doc__} == set()


def test_the_commands_are_those_of_the_tree() -> None:
    found = tuple(c.callback.__name__ for c in _app.app.registered_commands if c.callback)
    assert found == COMMANDS
