"""How true the numbers are: `docs/accuracy.md`, made by `python -m bench.accuracy`.

A section is a module of this package with two functions: `measure()` returns what it found, in
plain JSON values, and `render(found)` returns that as Markdown under a `##` heading. They stand
on the page in this order.
"""

SECTIONS = ("conformance", "closed_forms", "intervals", "published", "real_pools", "live_cells")
