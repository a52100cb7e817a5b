"""Lines of code become runs of one colour, and nothing of the code is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.codegen import generate, targets
from pools.codegen.generate import LANGUAGES
from pools.kinds import KINDS
from sim.query import parse
from ui.listing import KINDS as TOKENS
from ui.listing import coloured

SHOWN = [*LANGUAGES.values(), "text"]
code = st.text(alphabet=st.one_of(st.sampled_from("ab1\"'#:{}[]()=,.\\ \n\t-"), st.characters()))


def joined(text: str, language: str) -> str:
    return "\n".join("".join(run for _, run in line) for line in coloured(text, language))


@given(text=code, language=st.sampled_from(SHOWN))
def test_runs_together_are_the_text(text: str, language: str) -> None:
    plain = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    assert joined(text, language) == plain.removesuffix("\n")


@pytest.mark.parametrize("kind", KINDS)
def test_every_generated_file_is_shown_line_by_line_in_colours(kind: str) -> None:
    for target in targets(kind):
        for file in generate(parse(f"kind={kind}"), target.name).files:
            lines = coloured(file.text, file.language)
            assert len(lines) == len(file.text.splitlines())
            assert joined(file.text, file.language) + "\n" == file.text
            if file.language in {"python", "yaml", "json"}:
                assert {name for line in lines for name, _ in line} & set(TOKENS.values())


def test_line_has_one_run_for_each_change_of_colour() -> None:
    assert coloured("pool_size=5,  # five\n", "python") == [
        [("", "pool_size="), ("number", "5"), ("", ",  "), ("comment", "# five")]
    ]
