"""What a library and its event loop add around a pool, read off a recorded run.

scheduled -late-> started -entry-> granted, hold + overhead, returned -handover-> granted
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from pools.trace import Trace

# Fewer handovers than these say nothing; a waiter that is woken then enters like a newcomer.
HANDOVERS_MIN = 5


@dataclass(frozen=True, slots=True)
class Lags:
    """Means over a run, in seconds.

    `overhead_s` is what a hold lasts beyond what was asked for; `handover_s` passes from a
    return to the grant of who waited, `entry_s` from a start to the grant where nobody waits,
    `late_s` from the scheduled instant to the start. `requests` were counted.
    """

    overhead_s: float
    handover_s: float
    entry_s: float
    late_s: float
    requests: int

    def in_ms(self) -> dict[str, float]:
        """Return the times in ms, to be shown."""
        times = {name: value for name, value in asdict(self).items() if name.endswith("_s")}
        return {f"{name[:-2]}_ms": round(value * 1e3, 4) for name, value in times.items()}


def lags_of(
    trace: Trace, late_s: Sequence[float], holds_s: Sequence[float], since_s: float = 0.0
) -> Lags | None:
    """Read the lags off what was asked from `since_s` on; None if nothing was served.

    `late_s` is how late each request started, `holds_s` how long it was asked to hold.
    """
    settled = [
        row
        for row, asked_s in enumerate(trace.asked_s)
        if asked_s >= since_s and not math.isnan(trace.returned_s[row])
    ]
    started_s = [asked_s + late for asked_s, late in zip(trace.asked_s, late_s, strict=True)]
    handovers, entries = waits_for_grant(trace, started_s)
    if not settled or not entries:
        return None
    longer = (trace.returned_s[row] - trace.granted_s[row] - holds_s[row] for row in settled)
    entry_s = fmean(entries)
    return Lags(
        overhead_s=fmean(longer),
        handover_s=fmean(handovers) if len(handovers) >= HANDOVERS_MIN else entry_s,
        entry_s=entry_s,
        late_s=fmean(late_s[row] for row in settled),
        requests=len(settled),
    )


def waits_for_grant(trace: Trace, started_s: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return handovers (return to grant) and entries (start to grant), in seconds.

    A connection that came back after the request had started was handed over to it. Who has
    one opened has entered when that begins.
    """
    handovers: list[float] = []
    entries: list[float] = []
    last: dict[int, float] = {}
    granted = [row for row, at_s in enumerate(trace.granted_s) if not math.isnan(at_s)]
    for row in sorted(granted, key=trace.granted_s.__getitem__):
        link, at_s = trace.connection[row], trace.granted_s[row]
        if link < 0:
            continue
        if last.get(link, -math.inf) > started_s[row]:
            handovers.append(at_s - last[link])
        elif link in last or trace.opened_s[link] <= started_s[row]:
            entries.append(at_s - started_s[row])
        elif trace.opening_s[link] >= started_s[row]:
            entries.append(trace.opening_s[link] - started_s[row])
        last[link] = trace.returned_s[row]
    return handovers, entries
