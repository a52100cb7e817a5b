"""The gate through which every value enters generated code."""

import ast
import enum
import json
import math
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError, UndefinedError

from pools.codegen.generate import environment
from pools.codegen.literal import Literal, bare_literal, finish, json_literal, literal, yaml_literal
from pools.codegen.reason import Value, by_rule
from pools.codegen.trace import Trace, unmarked

HOSTILE = (
    'a"; import os; os.system("id") #',
    "x\nimport os\n",
    "'''",
    '"""',
    "\\",
    "\\'",
    '\\"',
    "\x00",
    "\ud800",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "\u2028",
    "é",
)
values = st.one_of(
    st.text(st.characters()),
    st.sampled_from(HOSTILE),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)


def rendered(template: str, **known: Any) -> str:
    made = environment().from_string(template)
    return unmarked(made.render(known, trace=Trace(), from_settings=False))


def reasoned(value: Any) -> Value:
    return by_rule("x", value, "why", "where")


@given(values)
def test_literal_is_ascii_on_one_line_and_means_exactly_its_value(value: Any) -> None:
    written = literal(value)
    assert written.isascii()
    assert written.splitlines() == [written]
    read = ast.literal_eval(written)
    assert (type(read), repr(read)) == (type(value), repr(value))


@given(values)
def test_value_rendered_by_a_template_is_one_constant(value: Any) -> None:
    code = rendered("x = {{ value | literal }}", value=reasoned(value))
    [statement] = ast.parse(code).body
    assert isinstance(statement, ast.Assign)
    assert ast.literal_eval(statement.value) == value


def test_number_that_stands_for_none_is_written_as_none() -> None:
    assert literal(0.0, none_at=0) == literal(-1, none_at=-1) == "None"
    assert literal(1.5, none_at=0) == "1.5"
    assert literal(value=False, none_at=0) == "False"


@pytest.mark.parametrize(
    "value",
    [
        math.inf,
        -math.inf,
        math.nan,
        np.float64(1.5),
        np.int64(5),
        np.bool_(True),
        enum.IntEnum("Size", "SMALL").SMALL,
        Literal("os"),
        b"bytes",
        ["list"],
        ("tuple",),
        1j,
        ...,
        literal,
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_without_an_exact_literal_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="a literal must be"):
        literal(value)


@pytest.mark.parametrize(
    "template",
    ["{{ value }}", "{{ 5 }}", "{{ 'os' }}", "{{ value | literal ~ '' }}", "{{ [value] }}"],
)
def test_template_value_that_bypasses_literal_is_refused(template: str) -> None:
    with pytest.raises(TypeError, match="must go through `literal`"):
        rendered(template, value=reasoned(5))


@pytest.mark.parametrize("spelling", ["literal", "argument", "json", "yaml", "bare"])
def test_template_value_without_a_reason_is_refused(spelling: str) -> None:
    with pytest.raises(TypeError, match="must carry its reason"):
        rendered(f"{{{{ 5 | {spelling} }}}}")


def test_text_around_a_value_is_left_alone() -> None:
    text = rendered("size = {{ size | literal }}  # é", size=reasoned(5))
    assert text == "size = 5  # é"


@given(values)
def test_json_literal_is_read_back_as_its_value(value: Any) -> None:
    written = json_literal(value)
    assert written.isascii()
    assert json.loads(written) == value


@given(values)
def test_yaml_literal_is_read_back_as_its_value(value: Any) -> None:
    written = yaml_literal(value)
    assert written.isascii()
    [read] = yaml.safe_load(f"[{written}]")
    if isinstance(value, float):
        assert math.isclose(read, value, rel_tol=0, abs_tol=1e-12)
    else:
        assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize("value", ["5", True, None, "x\n[pgbouncer]"])
def test_bare_literal_is_a_number_or_refused(value: Any) -> None:
    assert bare_literal(5) == "5"
    with pytest.raises(TypeError, match="must be a number"):
        bare_literal(value)


@pytest.mark.parametrize("template", ["{{ missing | literal }}", "{% if missing %}{% endif %}"])
def test_undefined_name_is_refused(template: str) -> None:
    with pytest.raises((UndefinedError, TypeError)):
        rendered(template)


def test_templates_have_no_other_filter() -> None:
    with pytest.raises(TemplateError, match="No filter named 'upper'"):
        rendered("{{ value | upper }}")


def test_only_a_literal_is_finished() -> None:
    assert finish(literal(5)) == "5"
    with pytest.raises(TypeError, match="must go through `literal`"):
        finish("5")
