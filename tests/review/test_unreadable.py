"""Whatever is pasted gets one clear sentence, or an answer; never an exception."""

import json
import sys
import threading
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.review import Reading, all_rules, patience, read
from pools.review.text import PASTE_CHARS_MAX

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
EXAMPLES = [text for rule in all_rules().values() for text in (*rule.bad, *rule.good)]
SSL = "import aiohttp\nc = aiohttp.TCPConnector(ssl=False)\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\n" * 200_000, "The text must be at most 200,000 characters, got 1,200,000."),
        ("a\n\0b", "line 2 has a null byte"),
        ("a = '\ud800'", "not valid Unicode"),
        ("def f(:\n    pass\n", f"Line 1 is not valid Python {VERSION}"),
        ("x = 'abc\n", "unterminated string literal"),
        ("x = (1,\n", "was never closed"),
        ("print 'hello'\n", "This looks like Python 2 (print without parentheses on line 1)"),
        ("try:\n    x()\nexcept E, e:\n    pass\n", "except with a comma on line 3"),
        ("exec 'x = 1'\n", "exec without parentheses"),
        ("raise E, 'x'\n", "raise with a comma"),
        ("(" * 150_000, "Python"),
        ("-" * 150_000 + "1", "nested too deeply"),
        ("a" + ".b" * 90_000, "nested too deeply"),
        ("1" + "+1" * 90_000, "nested too deeply"),
        ('{"cells": [{"cell_type": "code", "source": [', "The notebook is not valid JSON"),
        ('{"cells": "cell_type"' + "[" * 100_000, "The notebook is not valid JSON"),
        ('{"cells": [], "x": "cell_type"}', "The notebook has no code cells"),
        ("\x7fELF\x02\x01\x01", "not valid Python"),
    ],
    ids=str,
)
def test_what_cannot_be_read_gets_its_sentence(text: str, sentence: str) -> None:
    problem = read(text).problem
    assert sentence in problem
    assert problem.endswith(".")
    assert "\n" not in problem
    assert len(problem) < 250


def test_a_sentence_quotes_nothing_of_the_text() -> None:
    for text in ("x = 'Zq9secret\n", "Zq9secret = = 1\n", "def Zq9secret(:\n", "0x_Zq9secret q\n"):
        assert "Zq9secret" not in read(text).problem


def test_nothing_and_only_blank_lines_are_readable_and_empty() -> None:
    for text in ("", "\n\n", "   \n", "# only a comment\n"):
        assert read(text) == Reading("pasted")


@pytest.mark.parametrize(
    "text",
    [
        SSL.replace("\n", "\r\n"),
        SSL.replace("\n", "\r"),
        "\ufeff" + SSL,
        "    import aiohttp\n    c = aiohttp.TCPConnector(ssl=False)\n",
        ">>> import aiohttp\n>>> c = aiohttp.TCPConnector(ssl=False)\n<TCPConnector>\n",
        f"```python\n{SSL}```\n",
        f"Our code:\n```python\n{SSL}```\nIs it right?\n",
        f"{SSL}uvicorn app:app --workers 2\n",
        f"{SSL}try:\n    pass\nexcept TypeError, ValueError:\n    pass\n",
        f'{SSL}x = "\\d"\n',
        f'{SSL}x = "\u2028\x0b\x0c"\n',
    ],
)
def test_code_is_found_in_the_shapes_it_is_pasted_in(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reading = read(text)
    assert reading.problem == ""
    [finding] = reading.findings
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert "ssl=False" in lines[finding.place.line - 1]


def test_a_notebook_is_read_cell_by_cell() -> None:
    cells = [
        {"cell_type": "markdown", "source": "# Title"},
        {"cell_type": "code", "source": ["import aiohttp\n", "%time\n", "!pip install x\n"]},
        {"cell_type": "code", "source": "%%bash\nls"},
        {"cell_type": "code", "source": "await x()\nc = aiohttp.TCPConnector(ssl=False)"},
    ]
    [finding] = read(json.dumps({"cells": cells, "nbformat": 4}), "a.ipynb").findings
    assert str(finding.place) == "cell 3, line 2"
    assert not finding.is_patch


@pytest.mark.parametrize(
    "text",
    [
        # Each name doubles the one before: followed naively, 2 to the power of 200 steps.
        "a0 = 1\n" + "".join(f"a{n + 1} = a{n} + a{n}\n" for n in range(200)) + "n = a200\n",
        "a0 = 'x'\n" + "".join(f"a{n + 1} = a{n} + a{n}\n" for n in range(200)) + "n = a200\n",
        "a0 = {}\n"
        + "".join(f"a{n + 1} = {{**a{n}, **a{n}}}\n" for n in range(200))
        + "n = a200\n",
        "n = m\nm = n\n",
        "def f():\n    return f()\nn = f()\n",
        "class A(A):\n    x = A.x\nn = A.x\n",
        "n = " + "9" * 4000 + "\n",
        "n = 1e400\n",
        "n = 10 ** 10 ** 10\n",
        "n = -(-(-(-5)))\n",
    ],
    ids=lambda text: text[-24:],
)
def test_values_that_grow_or_turn_in_circles_end_in_a_question(text: str) -> None:
    source = f"{text}import sqlalchemy\ne = sqlalchemy.create_engine(u, pool_size=n)\n"
    reading = read(source)
    assert reading.problem == ""
    assert reading.values in ({}, {"pool_size": 5})


def test_reading_works_in_a_thread_with_little_stack() -> None:
    deep = "import aiohttp\nx = " + "(" * 90 + "1" + ")" * 90 + "\n" + "a" + ".b" * 50_000 + "\n"
    answers: list[Reading] = []
    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=lambda: answers.append(read(deep)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert "nested too deeply" in answers[0].problem


@given(st.text(max_size=400))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(read(text), Reading)


@given(st.data())
def test_any_damage_to_a_module_is_answered(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(EXAMPLES))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        put = data.draw(
            st.sampled_from(["", "(", ")", "\n", "    ", "await ", "None", "**", "x.", '"'])
        )
        text = text[:start] + put + text[end:]
    reading = read(text)
    assert isinstance(reading, Reading)
    lines = text.count("\n") + 1
    for finding in reading.findings:
        assert 1 <= finding.place.line <= lines


@given(st.data())
def test_any_lines_of_any_modules_together_are_answered(data: st.DataObject) -> None:
    statements = st.sampled_from(EXAMPLES).flatmap(lambda text: st.sampled_from(text.split("\n")))
    text = "\n".join(data.draw(st.lists(statements, max_size=25)))
    assert isinstance(read(text), Reading)


def test_the_limit_of_a_paste_is_far_above_real_modules() -> None:
    assert PASTE_CHARS_MAX == 200_000
    assert read("import aiohttp\n" + f"x = 1  # {'-' * 80}\n" * 2_000).problem == ""


def test_reading_ends_with_a_sentence_when_its_time_is_up() -> None:
    clock = iter(range(1_000_000))
    watch = patience(lambda: None, seconds=3, now=lambda: next(clock))
    reading = read("import aiohttp\n" + "x = f(1)\n" * 5_000, tick=watch)
    assert reading.problem == (
        "Reading took longer than 3 s and was stopped. Paste only the module that makes the pool."
    )


def test_reading_can_be_cancelled_from_its_tick() -> None:
    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read(SSL, tick=cancel)
