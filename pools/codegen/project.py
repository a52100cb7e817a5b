"""A target as a small project to run: a zip of its code, requirements, README and a smoke test.

The same scenario, target, options and day make the same bytes.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import PurePath

from pools.codegen.context import context_for
from pools.codegen.generate import GeneratedCode, find_target, generate, render
from pools.codegen.options import Options
from pools.codegen.why import why_table
from pools.setting import InvalidSettings, Mistake
from sim.result import SimulationResult
from sim.scenario import Scenario

SMOKE = "smoke_test.py"
FILE_MODE = 0o100644 << 16
UNIX = 3
# Not parsed: it may be written for a newer Python than this one.
_FUNCTION = re.compile(r"^(?:async )?def (\w+)", re.MULTILINE)
URL = "postgresql://user:password@host:5432/name"
STARTS: Mapping[str, str] = {
    "fastapi": "uvicorn main:app --timeout-graceful-shutdown 30",
    "web": "python app.py",
    "service": "python service.py",
    "budget": "python budget.py",
}
README = """# {title}

Written for {versions}.

```sh
python -m venv .venv
. .venv/bin/activate
pip install -r requirements.txt
{run}
```

The smoke test opens what the project opens, uses it once and closes it.

{files}

## Why these numbers

{reasons}"""


def project(
    scenario: Scenario,
    target: str,
    *,
    options: Options | None = None,
    result: SimulationResult | None = None,
    today: date | None = None,
) -> bytes:
    """Return a zip of the target as a project. Raises InvalidSettings if it does not run alone."""
    chosen, options = find_target(scenario.pool.name, target), options or Options()
    if not chosen.smoke:
        raise InvalidSettings([Mistake("target", "must run by itself", repr(target))])
    day = today or date.today()  # noqa: DTZ011  the reader's own calendar
    code = generate(scenario, target, options=options, result=result, today=day)
    head = f"{', '.join(code.versions)}; {day.isoformat()}"
    known = context_for(scenario, options, result, head) | {
        "own": dict.fromkeys(_FUNCTION.findall(code.text), PurePath(code.filename).stem),
        "is_fastapi": target == "fastapi",
    }
    smoke = render(SMOKE, f"_project/smoke_{chosen.smoke}.py.jinja", known, head, options)
    texts = {file.name: file.text for file in (*code.files, smoke)} | {
        "requirements.txt": "".join(f"{pin}\n" for pin in code.pins),
        "README.md": _readme(chosen.title, code, _run(scenario, target)),
    }
    return _zipped(f"{chosen.name}-project", texts, day)


def _run(scenario: Scenario, target: str) -> str:
    needs_url = target == "fastapi" or (scenario.pool.serves == "database" and target != "budget")
    lines = [f"export DATABASE_URL={URL}"] if needs_url else []
    started = [STARTS[target]] if target in STARTS else []
    return "\n".join((*lines, f"python {SMOKE}", *started))


def _readme(title: str, code: GeneratedCode, run: str) -> str:
    return README.format(
        title=title,
        versions=", ".join(code.versions),
        run=run,
        files="\n".join(f"- `{file.name}`" for file in code.files),
        reasons=why_table(code.files),
    )


def _zipped(folder: str, texts: Mapping[str, str], day: date) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(texts.items()):
            entry = zipfile.ZipInfo(f"{folder}/{name}", (day.year, day.month, day.day, 0, 0, 0))
            entry.external_attr, entry.create_system = FILE_MODE, UNIX
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return made.getvalue()
