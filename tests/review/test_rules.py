"""Every rule against its own examples: found where it says, silent where all is well."""

import ast

import pytest

from pools.review import Finding, all_rules, read
from pools.review.rule import Rule
from tests.review.patch import apply

RULES = all_rules()
MARK = "# <-"
# The mistakes a service owner makes with pools; each has a rule.
MISTAKES = {
    "engine-per-request",
    "never-closed",
    "no-validation",
    "huge-pool",
    "over-budget",
    "nested-acquire",
    "held-across-call",
    "setup-once",
    "set-in-init",
    "ssl-false",
    "connect-timeout",
    "prepared-statements",
    "recycle-too-long",
    "keepalive-too-long",
    "wait-as-hold",
    "size-as-current",
    "no-acquire-timeout",
    "explicit-close-loop",
    "cleanup-closed",
    "sync-engine-in-async",
    "timeout-over-client",
    "health-check-waits",
    "retry-without-backoff",
    "password-in-source",
}


def examples(kind: str) -> list[object]:
    return [
        pytest.param(rule, text, id=f"{name}-{number}")
        for name, rule in RULES.items()
        for number, text in enumerate(getattr(rule, kind))
    ]


def marked_lines(text: str) -> list[int]:
    lines = text.split("\n")
    return [number for number, line in enumerate(lines, start=1) if line.endswith(MARK)]


def fixable() -> list[object]:
    return [
        pytest.param(rule, text, finding, id=f"{rule.name}-{number}-{finding.place.line}")
        for rule in RULES.values()
        for number, text in enumerate(rule.bad)
        for finding in read(text).findings
        if finding.is_patch
    ]


@pytest.mark.parametrize(("rule", "text"), examples("bad"))
def test_a_bad_example_is_found_at_its_marked_lines_and_nothing_else_is(
    rule: Rule, text: str
) -> None:
    found = [(finding.rule, finding.place.line) for finding in read(text).findings]
    assert marked_lines(text)
    assert found == [(rule.name, line) for line in marked_lines(text)]


@pytest.mark.parametrize(("rule", "text"), examples("good"))
def test_no_rule_finds_anything_in_a_good_example(rule: Rule, text: str) -> None:
    assert read(text).problem == ""
    assert read(text).findings == ()


@pytest.mark.parametrize("text", [e for rule in RULES.values() for e in (*rule.bad, *rule.good)])
def test_examples_are_python_that_a_reader_could_have_written(text: str) -> None:
    assert len(ast.parse(text).body) > 0
    assert all(len(line) <= 100 for line in text.split("\n"))


def test_every_known_mistake_has_a_rule_and_every_rule_is_a_known_mistake() -> None:
    assert {*RULES} == MISTAKES


def test_the_rules_have_at_least_sixty_bad_and_sixty_good_examples() -> None:
    assert sum(len(rule.bad) for rule in RULES.values()) >= 60
    assert sum(len(rule.good) for rule in RULES.values()) >= 60


@pytest.mark.parametrize("rule", RULES.values(), ids=[*RULES])
def test_a_rule_says_what_why_and_whence_and_has_examples_of_both_kinds(rule: Rule) -> None:
    assert rule.title
    assert "Source: " in rule.explanation
    assert rule.level in {"error", "warning", "note"}
    assert len(rule.bad) >= 3
    assert len(rule.good) >= 3


@pytest.mark.parametrize("rule", RULES.values(), ids=[*RULES])
def test_a_finding_says_why_and_what_to_do_in_sentences(rule: Rule) -> None:
    for text in rule.bad:
        for finding in read(text).findings:
            assert finding.why.endswith(".")
            assert finding.is_patch or finding.fix.rstrip().endswith((".", ")"))
            assert finding.cost == ""


@pytest.mark.parametrize(("rule", "text", "finding"), fixable())
def test_a_patch_applies_and_cures_what_it_was_made_for(
    rule: Rule, text: str, finding: Finding
) -> None:
    patched = apply(finding.fix, text)
    ast.parse(patched)
    before = sum(one.rule == rule.name for one in read(text).findings)
    after = sum(one.rule == rule.name for one in read(patched).findings)
    assert after == before - 1
    assert len(patched.split("\n")) - len(text.split("\n")) in {-1, 0, 1}


def test_most_rules_that_change_one_argument_offer_a_patch() -> None:
    offered = {
        finding.rule
        for rule in RULES.values()
        for text in rule.bad
        for finding in read(text).findings
        if finding.is_patch
    }
    assert offered >= {
        "no-validation",
        "no-acquire-timeout",
        "ssl-false",
        "cleanup-closed",
        "connect-timeout",
        "setup-once",
        "prepared-statements",
        "recycle-too-long",
        "keepalive-too-long",
        "size-as-current",
        "timeout-over-client",
    }


def test_renaming_an_import_hides_no_mistake() -> None:
    text = (
        "import aiohttp as http\n"
        "from aiohttp import TCPConnector as C\n"
        "one = http.TCPConnector(ssl=False)\n"
        "two = C(ssl=False)\n"
    )
    assert [finding.place.line for finding in read(text).findings] == [3, 4]


def test_a_function_of_the_same_name_from_elsewhere_is_left_alone() -> None:
    text = "from .net import TCPConnector\nfrom aiohttp import web\nc = TCPConnector(ssl=False)\n"
    assert read(text).findings == ()


@pytest.mark.parametrize(
    ("comment", "count"),
    [
        ("# poolwise: ignore", 0),
        ("# poolwise: ignore[ssl-false]", 0),
        ("# poolwise: ignore[no-validation, ssl-false]", 0),
        ("# poolwise: ignore[no-validation]", 1),
        ("# noqa", 1),
    ],
)
def test_a_comment_on_the_line_silences_the_rules_it_names(comment: str, count: int) -> None:
    text = f"import aiohttp\nc = aiohttp.TCPConnector(ssl=False)  {comment}\n"
    assert len(read(text).findings) == count


def test_places_count_characters_also_behind_other_alphabets() -> None:
    text = 'import aiohttp\nx = "äöü€"; c = aiohttp.TCPConnector(ssl=False)\n'
    [finding] = read(text).findings
    line = text.split("\n")[1]
    assert line[finding.place.column - 1 : finding.place.end_column - 1] == "False"
