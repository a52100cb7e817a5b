"""A file of durations: read when it is one, refused in words when it is not."""

import pytest

from pools.live.durations import InvalidDurations, durations

TEN = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(map(str, TEN)),
        "duration_ms\n" + "\n".join(map(str, TEN)) + "\n\n",
        "query,ms\n" + "\n".join(f"select,{one}" for one in TEN),
        "query;ms\r\n" + "\r\n".join(f"select 1, 2;{one}" for one in TEN),
        "\ufeff" + "\n".join(map(str, TEN)),
    ],
)
def test_one_a_line_or_a_table_with_or_without_a_heading(text: str) -> None:
    spread = durations(text.encode(), unit_s=1e-3)
    assert spread.n == 10
    assert spread.mean_s == pytest.approx(0.055)
    assert spread.deviation_s == pytest.approx(0.0287, abs=1e-4)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "at least 10"),
        (b"1\n2\n3", "at least 10"),
        (b"heading\nno number\n1", "Line 2 must hold a number"),
        (b"1\n" * 10 + b"x", "Line 11, column 1"),
        (b"1\n" * 10 + b"-1", "Line 11, column 1"),
        (b"1\n" * 10 + b"nan", "Line 11, column 1"),
        (b"1\n" * 10 + b"1e99", "Line 11, column 1"),
        (b"\xff\xfe1", "UTF-8"),
        (b"1\n" * 100_001, "100000 lines"),
        (b"1" * (1024 * 1024 + 1), "1 MiB"),
    ],
)
def test_anything_else_is_refused_with_the_line(data: bytes, rule: str) -> None:
    with pytest.raises(InvalidDurations, match=rule):
        durations(data, unit_s=1e-3)
