"""From a scenario to code: picks the values, renders the target's templates."""

import difflib
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import PurePath
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from pools.codegen.context import context_for
from pools.codegen.imports import LINE_LENGTH, imports_for
from pools.codegen.literal import Literal, bare_literal, finish, json_literal, literal, yaml_literal
from pools.codegen.options import Options
from pools.codegen.reason import Reason, Value
from pools.codegen.target import TEMPLATES, Target, targets
from pools.codegen.trace import IMPORTS, Trace, unmarked
from pools.setting import InvalidSettings, Mistake
from sim.result import SimulationResult
from sim.scenario import Scenario

LANGUAGES: Mapping[str, str] = {
    ".py": "python",
    ".yaml": "yaml",
    ".json": "json",
    ".ini": "ini",
    ".sql": "sql",
    ".md": "markdown",
}
# How a line of comment begins; JSON and Markdown have none.
COMMENTS: Mapping[str, str] = {"python": "#", "yaml": "#", "ini": ";", "sql": "--"}


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """One file to paste. `reasons` says, by line from 1, why its values are what they are."""

    name: str
    text: str
    reasons: Mapping[int, tuple[Reason, ...]]

    @property
    def language(self) -> str:
        """The name of its language, as highlighters know it."""
        return LANGUAGES.get(PurePath(self.name).suffix, "text")


@dataclass(frozen=True, slots=True)
class GeneratedCode:
    """The files of a target, the one to show first; what pip must install, and versions.

    `requires` are the ranges it is written for, `pins` the versions it is tested with.
    """

    files: tuple[GeneratedFile, ...]
    requires: tuple[str, ...]
    pins: tuple[str, ...]
    versions: tuple[str, ...]

    @property
    def filename(self) -> str:
        """The name of the file to show."""
        return self.files[0].name

    @property
    def text(self) -> str:
        """The text of the file to show."""
        return self.files[0].text

    @property
    def reasons(self) -> Mapping[int, tuple[Reason, ...]]:
        """Why the values in each line of the file to show are what they are."""
        return self.files[0].reasons


def generate(
    scenario: Scenario,
    target: str,
    *,
    options: Options | None = None,
    result: SimulationResult | None = None,
    today: date | None = None,
) -> GeneratedCode:
    """Write the scenario's settings as code for a target, dated `today`.

    `result` is the scenario's simulation; targets that say so take thresholds from it. Raises
    InvalidSettings, naming the choices, if there is no such target for its pool kind.
    """
    chosen = find_target(scenario.pool.name, target)
    options = options or Options()
    imported = [
        options.release(name, scenario.pool) for name in chosen.libraries(scenario.pool.name)
    ]
    beside = [options.release(name, scenario.pool) for name in chosen.runs_with()]
    python = "Python {}.{}".format(*options.python_version)
    versions = (python, *(f"{release.title} {release.version}" for release in imported))
    day = today or date.today()  # noqa: DTZ011  the reader's own calendar
    head = f"{', '.join(versions)}; {day.isoformat()}"
    known = context_for(scenario, options, result, head)
    return GeneratedCode(
        files=tuple(
            render(name, chosen.template(name), known, head, options) for name in chosen.filenames
        ),
        requires=tuple(release.requirement for release in (*imported, *beside)),
        pins=tuple(release.pin for release in (*imported, *beside)),
        versions=versions,
    )


def changed_lines(before: GeneratedFile, after: GeneratedFile) -> frozenset[int]:
    """Return the lines of `after`, from 1, that `before` does not have at that place."""
    old, new = before.text.splitlines(), after.text.splitlines()
    matched = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    kept = {block.b + number for block in matched for number in range(block.size)}
    return frozenset(number + 1 for number in range(len(new)) if number not in kept)


def render(
    name: str, template: str, known: Mapping[str, Any], head: str, options: Options
) -> GeneratedFile:
    """Render one file, its imports written and its values traced; `head` is its first line."""
    trace = Trace()
    made = environment().get_template(template).render(known, trace=trace)
    if IMPORTS in made:
        code = unmarked(made.replace(IMPORTS, ""))
        made = made.replace(IMPORTS, imports_for(code, own=known["own"]))
    comment = COMMENTS.get(LANGUAGES.get(PurePath(name).suffix, ""))
    if comment:
        lines = textwrap.wrap(head, LINE_LENGTH - len(comment) - 1)
        made = "".join(f"{comment} {line}\n" for line in lines) + made
    text, reasons = trace.settle(made, show_defaults=options.show_defaults)
    return GeneratedFile(name, text, reasons)


@cache
def environment() -> Environment:
    """Return the template environment: nothing undefined, every value traced and a literal."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        finalize=finish,
        autoescape=False,  # noqa: S701  code, not HTML; the literals are what guards it
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters = {
        "literal": _filter(literal),
        "argument": _filter(literal, optional=True),
        "json": _filter(json_literal),
        "yaml": _filter(yaml_literal),
        "bare": _filter(bare_literal),
    }
    made.globals = {"imports": lambda: Literal(IMPORTS)}
    return made


def _filter(spell: Callable[..., Literal], *, optional: bool = False) -> Callable[..., Literal]:
    """Make a filter that spells a value and leaves its mark in the text's trace.

    Where the template takes its values from settings, an optional one is spelled as the
    setting of its name.
    """

    @pass_context
    def write(context: Context, value: object, **spelling: float) -> Literal:
        trace: Trace = context["trace"]
        if optional and context["from_settings"] and isinstance(value, Value):
            return Literal(f"settings().{value.reason.name}")
        return trace.write(value, lambda plain: spell(plain, **spelling), optional=optional)

    return write


def find_target(kind: str, name: str) -> Target:
    """Return a kind's target by name. Raises InvalidSettings, naming the choices."""
    known = {target.name: target for target in targets(kind)}
    if name not in known:
        rule = f"must be one of {', '.join(known) or 'none yet'} for kind {kind}"
        raise InvalidSettings([Mistake("target", rule, repr(name[:60]))])
    return known[name]
