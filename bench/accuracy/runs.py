"""Runs of real pools as they were recorded, one file each.

What is there already is not recorded again, so that an interrupted measurement goes on where
it was; a measurement that was complete is thrown away when the next one begins.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.accuracy.cases import Case
from bench.accuracy.page import ROOT
from pools.live.facts import trace_from_json
from pools.trace import Trace

RUNS = ROOT / ".benchmarks" / "accuracy"
COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Run:
    """One case as it really went; `late_s` is how late each request really started."""

    case: Case
    trace: Trace
    late_s: Sequence[float]
    noise: Mapping[str, float]


class Folder:
    """The runs of one section."""

    def __init__(self, section: str) -> None:
        """Name the folder."""
        self.path = RUNS / section

    def begin(self) -> None:
        """Empty the folder if what is there is complete."""
        if (self.path / COMPLETE).exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True, exist_ok=True)

    def end(self) -> None:
        """Mark the folder complete."""
        (self.path / COMPLETE).touch()

    def has(self, name: str) -> bool:
        """Whether something is kept under that name."""
        return self._file(name).exists()

    def read(self, name: str) -> dict[str, Any]:
        """Return what was kept under a name."""
        kept: dict[str, Any] = json.loads(self._file(name).read_text(encoding="utf-8"))
        return kept

    def write(self, name: str, kept: Mapping[str, Any]) -> None:
        """Keep something under a name, whole or not at all."""
        half = self._file(name).with_suffix(".half")
        half.write_text(json.dumps(kept), encoding="utf-8")
        half.rename(self._file(name))

    def run_of(self, case: Case) -> Run:
        """Return the recorded run of a case."""
        kept = self.read(case.name)
        return Run(case, trace_from_json(kept["trace"]), kept["late_s"], kept["noise"])

    def _file(self, name: str) -> Path:
        return self.path / f"{name.replace(' ', '_')}.json"
