"""Readings as text and as SARIF 2.1.0, for terminals, CI and pre-commit."""

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from pools.review.finding import Finding, Reading
from pools.review.rule import Rule, all_rules

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(readings: Sequence[Reading]) -> str:
    """Write each finding as `file:line:column: level rule: why`, its cost, and its fix."""
    lines: list[str] = []
    for reading in readings:
        if reading.problem:
            lines.append(f"{reading.filename}: cannot be read: {reading.problem}")
        for finding in reading.findings:
            lines += [*_finding_lines(reading, finding)]
    count = sum(len(reading.findings) for reading in readings)
    files = len(readings)
    lines.append(
        f"{count} finding{'' if count == 1 else 's'} in {files} file{'' if files == 1 else 's'}"
    )
    return "\n".join(lines) + "\n"


def as_sarif(readings: Sequence[Reading]) -> str:
    """Write all findings as one SARIF 2.1.0 run; texts that cannot be read as notifications."""
    rules = all_rules()
    problems = [_notification(reading) for reading in readings if reading.problem]
    run = {
        "tool": {
            "driver": {
                "name": "Poolwise review",
                "rules": [_rule(rule) for rule in rules.values()],
            }
        },
        "invocations": [
            {"executionSuccessful": not problems, "toolExecutionNotifications": problems}
        ],
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(reading, finding, [*rules].index(finding.rule))
            for reading in readings
            for finding in reading.findings
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _finding_lines(reading: Reading, finding: Finding) -> Iterator[str]:
    place = finding.place
    where = f"{place.line}:{place.column}"
    cell = f" (cell {place.cell})" if place.cell else ""
    level = all_rules()[finding.rule].level
    yield f"{reading.filename}:{where}{cell}: {level} {finding.rule}: {finding.why}"
    if finding.cost:
        yield f"    Here: {finding.cost}"
    fix = finding.fix.rstrip("\n").split("\n")
    yield from (
        f"    {line}".rstrip() for line in (fix if finding.is_patch else [f"Fix: {fix[0]}"])
    )


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "shortDescription": {"text": f"{rule.title}."},
        "fullDescription": {"text": rule.explanation or f"{rule.title}."},
        "defaultConfiguration": {"level": rule.level},
    }


def _result(reading: Reading, finding: Finding, index: int) -> dict[str, Any]:
    place = finding.place
    said = [finding.why, finding.cost, "" if finding.is_patch else finding.fix]
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": all_rules()[finding.rule].level,
        "message": {"text": " ".join(part for part in said if part)},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(reading.filename)}}}],
    }
    if place.cell:
        result["message"]["text"] = f"{place}: {result['message']['text']}"
    else:
        result["locations"][0]["physicalLocation"]["region"] = {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        }
    if finding.is_patch:
        result["properties"] = {"patch": finding.fix}
    return result


def _notification(reading: Reading) -> dict[str, Any]:
    location = {"physicalLocation": {"artifactLocation": {"uri": _uri(reading.filename)}}}
    return {"level": "error", "message": {"text": reading.problem}, "locations": [location]}


def _uri(filename: str) -> str:
    path = PurePath(filename)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
