"""`python -m bench`: run the benchmarks, all of them or those named; `--list` names them.

A benchmark is a module in this folder that can be run; it prints its own table.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RUNS = 'if __name__ == "__main__":'


def benchmarks() -> dict[str, str]:
    """Return what can be run: name and first line of the docstring."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.py"))}
    return {
        name: text.strip('"').split("\n", 1)[0]
        for name, text in texts.items()
        if RUNS in text and name != "__main__"
    }


def main() -> int:
    """Run each in a process of its own. Return 1 if one of them failed, 2 for a wrong name."""
    known = benchmarks()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="which to run; all if none is named")
    parser.add_argument("--list", action="store_true", help="only name them")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(known))
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(known)}")
        return 2
    if given.list:
        for name, what in known.items():
            print(f"{name:<16}{what}")
        return 0
    failed = 0
    for name in given.names or known:
        print(f"\n## {name}\n", flush=True)
        done = subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False, cwd=HERE.parent)
        failed |= done.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
