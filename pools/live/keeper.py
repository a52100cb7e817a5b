"""The keeper: a small process that owns one throw-away PostgreSQL server and its directory.

Run as a script by `pools.live.postgres`, with nothing but the standard library. Its standard
input is a pipe whose other end the owner alone holds: when the owner ends, however it ends, the
pipe closes, and the keeper stops the server and removes the directory. A session of its own
keeps signals to the owner's process group away from it.
"""

import contextlib
import ctypes
import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SOCKET_PATH_LIMIT = 80
PLAIN_PATH = re.compile(r"[\w./-]+", re.ASCII)
POLL_S = 0.005
WATCH_S = 0.25
STOP_S = 2.0
KEPT_OF_A_PREFIX = ("bin/initdb", "bin/postgres", "lib", "share")


class Refused(Exception):
    """The server cannot be made; its arguments are a code and a text."""


class OwnerGone(Exception):
    """The owner closed its end of the pipe."""


def keep() -> None:
    """Make the server that the owner asks for, keep it until the owner is gone, clean up."""
    for number in ENDING_SIGNALS:
        signal.signal(number, _leave)
    with contextlib.suppress(OwnerGone):
        line = sys.stdin.buffer.readline()
        if not line:
            return
        order = json.loads(line)
        try:
            with _directory(order) as home, _server(order, home) as server:
                socket_dir = str(home / "s")
                _say({"ready": True, "socket_dir": socket_dir, "postmaster": server.pid})
                _wait(server, WATCH_S)
                _say({"code": "server_ended", "text": "the server ended by itself"})
        except Refused as refusal:
            _say(dict(zip(("code", "text"), refusal.args, strict=True)))


def _leave(_number: int, _frame: object) -> None:
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise OwnerGone


def _say(message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


@contextlib.contextmanager
def _directory(order: dict[str, Any]) -> Iterator[Path]:
    """Make the private directory of the server and remove it in the end.

    It stays ours: a root keeper that wrote into a directory of the server's account could be
    led elsewhere by a link. That account, through its group, may only pass.
    """
    home = _new_directory([*order["places"], "/tmp"], order["user"])  # noqa: S108  mkdtemp below
    try:
        yield home
    finally:
        for _ in range(20):
            shutil.rmtree(home, ignore_errors=True)
            if not home.exists():
                break
            time.sleep(0.05)


def _new_directory(places: list[str], user: list[int] | None) -> Path:
    for place in places:
        with contextlib.suppress(OSError):
            home = Path(tempfile.mkdtemp(prefix="poolwise-", dir=place)).resolve()
            if _suits(home, user):
                if user:
                    os.chown(home, -1, user[1])
                    home.chmod(stat.S_IRWXU | stat.S_IXGRP)
                return home
            home.rmdir()
    raise Refused("no_directory", f"no short private directory possible in any of {places}")


def _suits(home: Path, user: list[int] | None) -> bool:
    """Whether a socket fits below, the server reads the path unquoted, its account gets there."""
    short = len(str(home / "s" / ".s.PGSQL.5432")) < SOCKET_PATH_LIMIT
    open_to_all = all(parent.stat().st_mode & stat.S_IXOTH for parent in home.parents)
    return short and PLAIN_PATH.fullmatch(str(home)) is not None and (open_to_all or not user)


@contextlib.contextmanager
def _server(order: dict[str, Any], home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    user = order["user"]
    programs = _reachable(Path(order["directory"]), home, user)
    for name in ("data", "s"):
        (home / name).mkdir(mode=0o700)
        _give(home / name, user)
    _initialise(programs, home, order["password"], user)
    data = home / "data"
    arguments = [str(programs / "postgres"), "-D", str(data), "-k", str(home / "s")]
    for name, value in order["settings"].items():
        arguments += ["-c", f"{name}={value}"]
    with (home / "log").open("wb") as log:
        server = _start(arguments, user, log)
    try:
        _wait(server, POLL_S, lambda: _is_ready(data / "postmaster.pid"))
        if server.poll() is not None:
            raise Refused("start_failed", _tail(home / "log"))
        yield server
    finally:
        _stop(server)


def _reachable(directory: Path, home: Path, user: list[int] | None) -> Path:
    """Return the programs' directory, or a copy that the server's account can reach."""
    if _runs(directory, user):
        return directory
    prefix, copy = directory.parent, home / "pg" / directory.parent.parent.name / "pg"
    libraries = prefix.parent.with_name(prefix.parent.name + ".libs")  # where a wheel keeps them
    for source, target in (
        *((prefix / kept, copy / kept) for kept in KEPT_OF_A_PREFIX),
        (libraries, home / "pg" / libraries.name),
    ):
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.a", "pgxs"))
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for path in (home / "pg", *(home / "pg").rglob("*")):
        _give(path, user)
    if not _runs(copy / "bin", user):
        raise Refused("unreachable", f"neither {directory} nor a copy of it runs for the server")
    return copy / "bin"


def _runs(directory: Path, user: list[int] | None) -> bool:
    command = [str(directory / "initdb"), "--version"]
    with contextlib.suppress(OSError):
        return subprocess.call(command, stdout=subprocess.DEVNULL, **_as(user)) == 0  # noqa: S603
    return False


def _initialise(programs: Path, home: Path, password: str, user: list[int] | None) -> None:
    secret = home / "pw"
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    _give(secret, user)
    try:
        command = [str(programs / "initdb"), "-D", str(home / "data"), "-U", "postgres"]
        command += ["-A", "scram-sha-256", "--pwfile", str(secret), "--no-sync"]
        command += ["-E", "UTF8", "--no-locale", "--wal-segsize=1"]
        with (home / "initdb.log").open("wb") as log:
            process = _start(command, user, log)
        try:
            _wait(process, POLL_S)
        finally:
            _stop(process)
    finally:
        secret.unlink()
    if process.returncode != 0:
        raise Refused("initdb_failed", _tail(home / "initdb.log"))


def _is_ready(status: Path) -> bool:
    """Whether the eighth line of postmaster.pid says so (written since PostgreSQL 10)."""
    with contextlib.suppress(OSError):
        lines = status.read_text().splitlines()
        return len(lines) > 7 and lines[7].strip() == "ready"
    return False


def _wait(
    process: "subprocess.Popen[bytes]", pause_s: float, done: Callable[[], bool] = lambda: False
) -> None:
    """Wait until `done`, or the process ends, or the owner is gone (raises OwnerGone)."""
    while process.poll() is None and not done():
        readable, _, _ = select.select([0], [], [], pause_s)
        if readable and not os.read(0, 1024):
            raise OwnerGone


def _give(path: Path, user: list[int] | None) -> None:
    if user:
        os.chown(path, *user)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-500:]


def _start(command: list[str], user: list[int] | None, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    return subprocess.Popen(  # noqa: S603
        command,
        stdout=log,
        stderr=log,
        env=environment,
        start_new_session=True,
        preexec_fn=_end_with_parent,  # noqa: PLW1509  this process has one thread
        **_as(user),
    )


def _as(user: list[int] | None) -> dict[str, Any]:
    """Return what every program is started with: no input, no directory, its account."""
    account = {"user": user[0], "group": user[1], "extra_groups": []} if user else {}
    return {"stdin": subprocess.DEVNULL, "cwd": "/"} | account


def _end_with_parent() -> None:
    """Have the kernel stop this process if the keeper itself is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop a server at once (SIGQUIT: no checkpoint), by force after a moment."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGQUIT)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    keep()
