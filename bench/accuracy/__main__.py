"""`python -m bench.accuracy [SECTION ...]`: measure sections again and render docs/accuracy.md.

What a section measured is kept in docs/accuracy-data/SECTION.json; the page is rendered from
these files. Without a name all sections are measured, which takes hours; `--render` measures
nothing.
"""

import argparse
import sys
from importlib import import_module

from bench.accuracy import page


def main() -> int:
    """Measure what is named, store it, render the page. Return 2 for a wrong name."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {page.names()}")
    parser.add_argument("--render", action="store_true", help="only render what was measured")
    parser.add_argument(
        "--judge",
        action="store_true",
        help="simulate again what was measured last, where a section keeps its runs",
    )
    given = parser.parse_args()
    unknown = sorted(set(given.sections) - set(page.names()))
    if unknown:
        print(f"no section is called {', '.join(unknown)}; there are {', '.join(page.names())}")
        return 2
    for name in () if given.render else given.sections or page.names():
        section = import_module(f"bench.accuracy.{name}")
        print(f"{'judging' if given.judge else 'measuring'} {name}", flush=True)
        page.store(name, section.judge() if given.judge else section.measure())
    page.PAGE.write_text(page.page(), encoding="utf-8")
    print(f"rendered {page.PAGE.relative_to(page.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
