"""The code: the settings as files to paste, always on the page, one click from the clipboard.

Three views of it: the code, what the last change of the settings changed in it, and why each
value is what it is.
"""

import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, partial

import streamlit as st

from pools.codegen import (
    GeneratedCode,
    GeneratedFile,
    Options,
    Target,
    changed_lines,
    choices,
    generate,
    project,
    targets,
    why_list,
    why_words,
)
from sim.query import parse, to_query
from sim.result import SimulationResult
from sim.scenario import Scenario
from ui import state
from ui.copying import copy_button
from ui.listing import listing

HEIGHT = 348
CODE, CHANGES, WHY = "Code", "Changes", "Why"
NAMES: Mapping[str, str] = {"python": "Python", "sqlalchemy": "SQLAlchemy", "asyncpg": "asyncpg"}
LINES_MAX = 6


def code(scenario: Scenario, result: SimulationResult | None = None) -> None:
    """Show the code of the target chosen, with Copy and Download."""
    st.header("Code", anchor=False)
    known = {target.title: target for target in targets(scenario.pool.name)}
    chosen = known[
        st.selectbox(
            "Code for",
            list(known),
            key="target",
            persist_state="session",
            label_visibility="collapsed",
        )
    ]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        place = st.container(horizontal=True, gap="small", width="content")
        options = _options(scenario, chosen)
        view = st.segmented_control(
            "View of the code",
            [CODE, CHANGES, WHY],
            default=CODE,
            required=True,
            key="code-view",
            label_visibility="collapsed",
        )
    shown = result if chosen.simulates else None
    day = date.today()  # noqa: DTZ011  the reader's own calendar
    made = _made(
        to_query(scenario),
        chosen.name,
        options,
        day,
        _Simulated(shown, shown.replications if shown else 0),
    )
    file = _file(chosen, made)
    with place:
        _take(file, made)
        if chosen.smoke:
            _take_project(scenario, chosen, options, shown)
    before = _before(chosen, file)
    with st.container(key="code"):
        _show(str(view), file, before)
    st.caption(_changed(before, file))


def _file(target: Target, made: GeneratedCode) -> GeneratedFile:
    """Let the user choose the file to see, where there are several."""
    if len(made.files) == 1:
        return made.files[0]
    known = {file.name: file for file in made.files}
    chosen = st.selectbox(
        "File",
        list(known),
        key=f"code-file-{target.name}",
        persist_state="session",
        label_visibility="collapsed",
    )
    return known[chosen]


def _options(scenario: Scenario, target: Target) -> Options:
    """Let the user choose versions, and whether library defaults are written out."""
    with st.popover("Versions", help="The versions it is written for; library defaults"):
        libraries = {"python", *target.libraries(scenario.pool.name)}
        # The version of a pool that has one is the scenario's.
        if hasattr(scenario.pool, "version"):
            libraries.discard(scenario.pool.name)
        chosen = {name: _version(name) for name in choices() if name in libraries}
        show = st.toggle(
            "Show library defaults",
            value=True,
            key="code-defaults",
            persist_state="session",
            help="Off: arguments that equal the library's own default are left out",
        )
    return Options(**chosen, show_defaults=show)


def _version(name: str) -> str:
    known = choices()[name]
    installed = "{}.{}".format(*sys.version_info[:2]) if name == "python" else known[0]
    chosen = st.selectbox(
        NAMES[name],
        known,
        index=known.index(installed) if installed in known else 0,
        key=f"code-{name}",
        persist_state="session",
        help=f"Installed here: {installed}",
    )
    return str(chosen)


@dataclass(frozen=True, slots=True)
class _Simulated:
    """A result, told from others by its query and by how much of it there is."""

    result: SimulationResult | None = field(compare=False)
    replications: int


@lru_cache(maxsize=256)
def _made(
    query: str, target: str, options: Options, day: date, simulated: _Simulated
) -> GeneratedCode:
    result = simulated.result
    return generate(parse(query), target, options=options, result=result, today=day)


def _take(file: GeneratedFile, made: GeneratedCode) -> None:
    """Offer the file to the clipboard, and to the disk."""
    copy_button(file.text, label="Copy code", key="copy-code")
    st.download_button(
        "Download",
        lambda: file.text,  # made when asked for: a file made for each run is soon gone
        file_name=file.name,
        mime="text/plain",
        on_click="ignore",
        help=f"{file.name}. Needs: {', '.join(made.requires) or 'nothing'}",
    )


def _take_project(
    scenario: Scenario, target: Target, options: Options, result: SimulationResult | None
) -> None:
    """Offer a zip, made when it is asked for."""
    st.download_button(
        "Project",
        partial(project, scenario, target.name, options=options, result=result),
        file_name=f"{target.name}-project.zip",
        mime="application/zip",
        on_click="ignore",
        help="A zip to run: all files, their requirements, a README and a smoke test",
    )


def _before(target: Target, file: GeneratedFile) -> GeneratedFile | None:
    """Return what stood here before the last change; remember what does now."""
    name = f"_code_{target.name}_{file.name}"
    last, before = state.recall(name) or (None, None)
    if last is None or last.text != file.text:
        last, before = file, last
        state.remember(name, (last, before))
    return before


def _show(view: str, file: GeneratedFile, before: GeneratedFile | None) -> None:
    if view == WHY:
        with st.container(height=HEIGHT):
            st.markdown(why_list(file))
    elif view == CHANGES:
        st.code(_diff(before, file), language="diff", height=HEIGHT, wrap_lines=True)
    else:
        listing(
            file.text,
            file.language,
            label=file.name,
            key="listing",
            height=HEIGHT,
            changed=changed_lines(before, file) if before else (),
            notes={line: why_words(reasons) for line, reasons in file.reasons.items()},
        )


def _diff(before: GeneratedFile | None, after: GeneratedFile) -> str:
    old = (before or after).text.splitlines()
    lines = list(difflib.unified_diff(old, after.text.splitlines(), lineterm="", n=2))
    return "\n".join(lines[2:]) or "Nothing has changed yet."


def _changed(before: GeneratedFile | None, after: GeneratedFile) -> str:
    """Name the lines that the last change changed."""
    lines = sorted(changed_lines(before, after)) if before else []
    if not lines:
        return "Lines that a change of the settings changes are named here."
    texts = after.text.splitlines()
    named = [f"line {line}: `{texts[line - 1].strip()}`" for line in lines[:LINES_MAX]]
    more = [f"and {len(lines) - LINES_MAX} more"] * (len(lines) > LINES_MAX)
    return f"Changed: {', '.join(named + more)}"
