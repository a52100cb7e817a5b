"""Whatever text reaches the page, the command or a link: none of it becomes code.

POOLWISE_EXAMPLES says how many names, numbers and DSNs to try.
"""

import ast
import io
import json
import re
import string
import tokenize
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pools.codegen import GeneratedFile, Options, generate, targets
from pools.codegen.options import SERVICE_CHARS_MAX
from pools.kinds import KINDS
from pools.setting import InvalidSettings
from sim.query import all_settings, from_pairs
from sim.scenario import Scenario
from tests.codegen.support import examples

EVERY = [(kind, target.name) for kind in KINDS for target in targets(kind)]
# A word that no template, library or setting holds: where it stands, the user's text stands.
WORD = "qzxjk"
SHAPES = (
    '{}"; import os; os.system("id") #',
    "{}'''\nimport os\n'''",
    '{}"""\nimport os\n"""',
    "{{{{ {} }}}}",
    "{{% include '{}' %}}",
    "{}\\",
    "${{{}}}",
    "%({})s",
    "{}: [1, {{2: 3}}] # &x *x !!python/object",
    '{}"}}], "x": [{{"',
    "[{}]\nauth_type = any",
    'postgresql://{}:pass\'word@[::1]:5432/x?sslmode="require"',
    "postgresql+asyncpg://u:p%40@{}/d?options=-c%20x",
    "1e400{}",
    "0x{}",
    "\u202e{}\u2066",
    "\x00{}\x03",
    "\x02{}\x03",
    "{}\ud800",
)
_SIGN = (ast.USub, ast.UnaryOp)
odd = st.one_of(st.text(max_size=20), st.text(alphabet=string.punctuation + "\n ", max_size=12))
hostile = st.builds(
    lambda shape, before, after: before + shape.format(WORD) + after,
    st.sampled_from(SHAPES),
    odd,
    odd,
)
numbers = st.one_of(
    st.floats().map(repr),
    st.integers().map(str),
    st.sampled_from(["1_000", "\u0665", "5\n", "1e3", "+5", "-0", "nan", "inf", "True", "0b1"]),
    hostile,
)


def shape(file: GeneratedFile) -> object:
    """Return what a file says, less its values."""
    if file.language == "python":
        nodes = ast.walk(ast.parse(file.text))
        return [type(node).__name__ for node in nodes if not isinstance(node, _SIGN)]
    if file.language == "json":
        return _keys(json.loads(file.text))
    if file.language == "yaml":
        return [_keys(part) for part in yaml.safe_load_all(file.text)]
    return re.sub(r"-?[0-9]+(\.[0-9]+)?", "0", file.text)


def _keys(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {_plain(key): _keys(value) for key, value in part.items()}
    return [_keys(one) for one in part] if isinstance(part, list) else None


def _plain(key: object) -> object:
    """Return a key, less the service's name where it is one."""
    return re.sub(rf"^.*{WORD}.*$|^s-?$|^service$", "service", str(key))


def outside_literals(file: GeneratedFile) -> str:
    """Return a file's text, less what its language calls a string."""
    if file.language != "python":
        return re.sub(r'"(?:[^"\\]|\\.)*"', '""', file.text)
    tokens = tokenize.generate_tokens(io.StringIO(file.text).readline)
    return " ".join(token.string for token in tokens if token.type != tokenize.STRING)


@cache
def known_shape(kind: str, target: str) -> tuple[object, ...]:
    """Return the shapes of the files with the kind's defaults."""
    return tuple(map(shape, generate(Scenario(pool=KINDS[kind]()), target).files))


def services(text: str) -> Iterator[str]:
    """Yield the service names that a text is: as it is, and as much of it as is allowed."""
    yield text
    yield "".join(filter(str.isprintable, text))[:SERVICE_CHARS_MAX]


@examples(100)
@given(st.sampled_from(EVERY), hostile)
def test_name_adds_no_statement_and_stands_in_literals_only(
    case: tuple[str, str], text: str
) -> None:
    kind, target = case
    for name in services(text):
        try:
            options = Options(service=name)
        except InvalidSettings:
            assert not name.isprintable() or not 1 <= len(name) <= SERVICE_CHARS_MAX
            continue
        made = generate(Scenario(pool=KINDS[kind]()), target, options=options)
        for file, known in zip(made.files, known_shape(kind, target), strict=True):
            assert file.text.isascii()
            assert shape(file) == known
            assert WORD not in outside_literals(file)


def read(kind: str, name: str, text: str) -> Scenario | str:
    """Return the scenario with one value given as text, or why it is refused."""
    try:
        return from_pairs([("kind", kind), (name, text)])
    except InvalidSettings as refused:
        return str(refused)


@examples(100)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_number_is_refused_by_name_or_written_as_a_number(kind: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(set(all_settings(kind)) - {"kind"})))
    target = data.draw(st.sampled_from([target.name for target in targets(kind)]))
    text = data.draw(numbers)
    scenario = read(kind, name, text)
    if isinstance(scenario, str):
        assert name in scenario
        return
    for file in generate(scenario, target).files:
        assert file.text.isascii()
        assert WORD not in file.text
        if file.language == "python":
            compile(file.text, file.name, "exec")


@pytest.mark.parametrize(("kind", "target"), EVERY)
def test_user_text_outside_literals_would_be_noticed(kind: str, target: str) -> None:
    for file in generate(Scenario(pool=KINDS[kind]()), target).files:
        if file.language != "json":
            comment = {"sql": "--", "ini": ";"}.get(file.language, "#")
            told = GeneratedFile(file.name, f"{file.text}{comment} {WORD}\n", file.reasons)
            assert WORD in outside_literals(told)
        if file.language == "python":
            added = GeneratedFile(file.name, f"{file.text}import os\n", file.reasons)
            assert shape(added) != shape(file)
