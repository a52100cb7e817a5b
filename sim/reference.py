"""`python -m sim.reference` writes docs/settings.md: every name, from the Settings themselves."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pools.kinds import KINDS
from pools.setting import Setting, settings_of
from sim.query import KIND
from sim.scenario import PARTS, Scenario

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
_SHARED = {name.capitalize(): part for name, part in PARTS.items()} | {"Run": Scenario}
_HEAD = """# Settings

Every name of the page's address, which is also the argument of `python -m sim`,
`python -m pools.codegen` and `python -m pools.live`. Library parameters have the library's
names. `users` or `think_ms` without `pattern` mean `pattern=closed`.

Made by `python -m sim.reference`.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    parts = [_HEAD, "## Kind\n", *_table({"kind": KIND})]
    for name, kind in KINDS.items():
        parts += [f"\n## {kind.title} (`kind={name}`)\n", f"Models {kind.versions}.\n"]
        parts += _table(settings_of(kind)) if settings_of(kind) else ["Nothing to set."]
    for title, cls in _SHARED.items():
        parts += [f"\n## {title}\n", *_table(settings_of(cls))]
    return "\n".join(parts) + "\n"


def _table(settings: Mapping[str, Setting]) -> Iterator[str]:
    yield "| Name | Default | Range | Meaning | Source of the default |"
    yield "| --- | --- | --- | --- | --- |"
    for one in settings.values():
        default = f"{one.spell(one.default)} {one.unit}".strip()
        yield f"| `{one.query}` | {default} | {_range(one)} | {_meaning(one)} | {one.source} |"


def _range(one: Setting) -> str:
    if one.choices:
        return ", ".join(one.choices)
    if one.form is not None:
        return one.form.rule
    if one.low is None or one.high is None:
        return "true, false"
    return f"{one.spell(one.low)} to {one.spell(one.high)} {one.unit}".strip()


def _meaning(one: Setting) -> str:
    special = [f"{one.spell(value)}: {meaning}" for value, meaning in one.special.items()]
    return one.meaning + (f" ({'; '.join(special)})" if special else "")


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
