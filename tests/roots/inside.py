"""Commands inside a root folder: in namespaces of their own, so that nothing of it stays behind."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CalledProcessError, Popen
from typing import Any

from tests.roots.emulation import find_emulator, is_foreign, registration

UNSHARE = ("unshare", "--user", "--mount", "--pid", "--fork", "--kill-child")
IDS = "0 0 65536"
"""Users and groups inside are those of this machine, so that files have the same owners."""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
OLD_KERNEL = "programs of another processor need Linux 6.7 or newer here (binfmt_misc)"
NETWORK_FILES = {
    "/etc/hosts": Path("/etc/hosts"),
    "/etc/resolv.conf": Path("/etc/resolv.conf"),
    "/run/certificates.crt": Path("/etc/ssl/certs/ca-certificates.crt"),
}
PASSED_ON = ("PIP_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Inside:
    """How commands see a root folder for an architecture by Debian's name.

    env: variables beside a PATH. folder: where commands start.
    binds: folders and files of this machine by the path at which they appear, not to be written.
    volumes: folders of this machine that may be written.
    user: whose group has the same name; root has all rights, others have no capability.
    read_only: whether all of the root folder but /tmp, /dev/shm and the volumes is read-only.
    """

    root: Path
    arch: str
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    binds: Mapping[str, Path] = field(default_factory=dict)
    volumes: Mapping[str, Path] = field(default_factory=dict)
    user: str = "root"
    read_only: bool = False


def check_call(inside: Inside, command: Sequence[str]) -> None:
    """Run a command to its end. Raises CalledProcessError unless that is 0."""
    status = call(inside, command)
    if status != 0:
        raise CalledProcessError(status, command)


def call(inside: Inside, command: Sequence[str]) -> int:
    """Run a command to its end, and return its status."""
    with start(inside, command) as process:
        return process.wait()


def start(inside: Inside, command: Sequence[str], **options: Any) -> Popen[Any]:
    """Start a command as process 1 of its namespace; options are those of Popen.

    The process that is returned waits for it, ends with its status, and takes it along if killed.
    """
    lines = [*preparation(inside), f"exec {shlex.join(entrance(inside, command))}"]
    process = Popen([*UNSHARE, "sh", "-euc", "\n".join(lines)], **options)
    map_ids(process)
    return process


def map_ids(process: Popen[Any]) -> None:
    """Give a process in its new user namespace all users and groups; its script waits for that."""
    ours, its = (Path(f"/proc/{pid}/ns/user") for pid in ("self", process.pid))
    while process.poll() is None and its.readlink() == ours.readlink():
        time.sleep(0.01)
    for kind in ("gid_map", "uid_map"):
        Path(f"/proc/{process.pid}/{kind}").write_text(IDS)


def preparation(inside: Inside) -> Iterator[str]:
    """Lines of a shell script, run as root of the new namespaces: all mounts."""
    root = shlex.quote(str(inside.root))
    yield "until grep -q . /proc/self/uid_map; do sleep 0.01; done"
    if is_foreign(inside.arch):
        yield from emulation(find_emulator() or "")
    yield f"mount --rbind {root} {root}"
    yield f"mount -t proc proc {root}/proc"
    yield f"mount --rbind /sys {root}/sys"
    for folder in ("tmp", "dev", "run"):
        yield f"mount -t tmpfs tmpfs {root}/{folder}"
    yield f"mkdir -m 1777 {root}/dev/shm"
    yield f"mkdir {root}/dev/pts"
    yield f"mount -t devpts -o newinstance,ptmxmode=0666 devpts {root}/dev/pts"
    yield f"ln -s pts/ptmx {root}/dev/ptmx"
    yield f"ln -s /proc/self/fd {root}/dev/fd"
    devices = {f"/dev/{name}": Path("/dev") / name for name in DEVICES}
    for target, path in {**devices, **NETWORK_FILES, **inside.volumes}.items():
        yield from bind(inside.root, target, path)
    for target, path in inside.binds.items():
        yield from bind(inside.root, target, path)
        yield f"mount -o remount,bind,ro {root}{shlex.quote(target)}"
    if inside.read_only:
        yield f"mount -o remount,bind,ro {root}"


def emulation(emulator: str) -> Iterator[str]:
    """Lines that make the kernel start foreign programs with an emulator, in here only."""
    yield f"mount -t binfmt_misc none {BINFMT} || {{ echo '{OLD_KERNEL}' >&2; exit 1; }}"
    yield f"printf %s {shlex.quote(registration(emulator))} > {BINFMT}/register"


def bind(root: Path, target: str, path: Path) -> Iterator[str]:
    """Lines that show a file or folder of this machine at a path inside."""
    inside, source = shlex.quote(f"{root}{target}"), shlex.quote(str(path))
    make = f"mkdir -p {inside}" if path.is_dir() else f"[ -e {inside} ] || touch {inside}"
    yield make
    yield f"mount --bind {source} {inside}"


def entrance(inside: Inside, command: Sequence[str]) -> list[str]:
    """The command that enters the root folder, becomes the user and goes on as `command`."""
    env = {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        **{"PATH": PATH, "LANG": "C.UTF-8", "PIP_CERT": "/run/certificates.crt"},
        **inside.env,
    }
    return [
        *("chroot", str(inside.root), *(become(inside.user) if inside.user != "root" else [])),
        *("env", "-i", "-C", inside.folder, *(f"{k}={v}" for k, v in env.items()), *command),
    ]


def become(user: str) -> list[str]:
    """The command that goes on as a user without any capability, now or later."""
    return [
        *("setpriv", "--reuid", user, "--regid", user, "--clear-groups"),
        *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
    ]
