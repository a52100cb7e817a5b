"""Upload recorded arrivals, say what is in them, and what to do where there are none yet."""

import streamlit as st

from sim.recorded import ROWS_MAX, UNITS, Recording, RecordingError, read_recording
from sim.scenario import Scenario
from ui import state
from ui.words import count, duration

UPLOAD_MB_MAX = 50
_KEPT = "_recording"
HOW = (
    "A CSV with a header, or JSON lines: `asked_s` is when a request asked for a connection,"
    " `hold_ms` how long it kept it (may be left out). Units: _s, _ms, _us or _ns. Up to"
    f" {ROWS_MAX:,} rows. The file stays on this machine and is no part of the address."
)
EMPTY = (
    "No recording is loaded. Upload a file of arrivals under Workload in the sidebar, or choose"
    " another pattern. " + HOW
)


def recorded(scenario: Scenario) -> tuple[Scenario, Recording | None]:
    """Offer the upload where arrivals are recorded; return the scenario with what is in it."""
    if scenario.workload.pattern != "recorded":
        return scenario, None
    found = upload(scenario)
    return (scenario if found is None else found.describe(scenario)), found


def say_empty() -> None:
    """Say what to do where there is nothing to play yet."""
    st.info(EMPTY)


def upload(scenario: Scenario) -> Recording | None:
    """Draw the upload box; return what was uploaded, if it can be played."""
    unit = st.pills("unit of columns without one", tuple(UNITS), key="recording_unit")
    # Larger than maxUploadSize, which holds for every other box: a million rows take 20 to 50 MB.
    file = st.file_uploader(
        "recorded arrivals",
        type=["csv", "jsonl", "ndjson", "json", "txt"],
        key="recording_file",
        help=HOW,
        max_upload_size=UPLOAD_MB_MAX,
    )
    if file is None:
        _say_which(scenario)
        return None
    kept = state.recall(_KEPT)
    if kept is None or kept[0] != (file.file_id, unit):
        kept = ((file.file_id, unit), _read(file.getvalue(), unit or ""))
        state.remember(_KEPT, kept)
    read: Recording | str = kept[1]
    if isinstance(read, str):
        st.error(read)
        return None
    _describe(read, scenario)
    return read


def _read(content: bytes, unit: str) -> Recording | str:
    try:
        return read_recording(content, unit)
    except RecordingError as broken:
        return str(broken)


def _say_which(scenario: Scenario) -> None:
    wanted = scenario.workload.recording
    if wanted:
        st.caption(f"The address means the file with the digest {wanted}.")


def _describe(read: Recording, scenario: Scenario) -> None:
    holds = "with holds" if len(read.hold_s) else "holds are drawn"
    st.caption(
        f"{count(len(read.asked_s), 'request')} over {duration(read.length_s)}, {holds};"
        f" digest {read.digest}."
    )
    wanted = scenario.workload.recording
    if wanted not in ("", read.digest):
        st.warning(f"The address means another file, with the digest {wanted}.")
