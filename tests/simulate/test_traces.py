"""Any CSV in the traces' format becomes a trace, and any other file a sentence that helps."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulate.traces import Trace, TraceError, TraceProblem, read_trace, read_traces
from tests.scaling.build import floats

GOOD = "t_s,web,api\n0,1,2\n60,3,4.5\n120,0,6\n"


def written(folder: Path, text: str | bytes, name: str = "trace.csv") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def problems(file: Path) -> tuple[TraceProblem, ...]:
    with pytest.raises(TraceError) as refused:
        read_traces(file)
    return refused.value.problems


def trace(*rows: list[float], step: float = 60.0) -> Trace:
    names = tuple(f"s{number}" for number in range(len(rows)))
    counts = np.array(rows, dtype=np.float64)
    return Trace(name="made", step_seconds=step, series=names, counts=counts, factor=np.ones(len(rows)))


def test_a_csv_is_read(tmp_path: Path) -> None:
    found = read_trace(written(tmp_path, GOOD, "day.csv"))
    assert (found.name, found.step_seconds, found.series) == ("day", 60.0, ("web", "api"))
    assert found.counts.tolist() == [[1.0, 3.0, 0.0], [2.0, 4.5, 6.0]]
    assert found.factor.tolist() == [1.0, 1.0]
    assert found.seconds == 180.0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("day.csv.gz", gzip.compress(GOOD.encode(), mtime=0)),
        ("day.csv", gzip.compress(GOOD.encode(), mtime=0)),  # packed without a new name
        ("day.csv.gz", GOOD.encode()),  # unpacked without one
        ("day.CSV", b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()),  # from a spreadsheet
        ("day.csv", (GOOD + "\n,,\n\n").encode()),
        ("day.csv", GOOD.replace("t_s,web,api", ' t_s , "web" ,api').replace(' "web" ', '"web"').encode()),
        ("day.csv", b"web,t_s,api\n1,0,2\n3,60,4.5\n0,120,6\n"),
        (
            "day.csv",
            GOOD.replace("0,1,2", "1763800000,1,2")
            .replace("60,3", "1763800060,3")
            .replace("120,", "1763800120,")
            .encode(),
        ),
    ],
)
def test_packing_line_ends_order_and_offset_do_not_matter(tmp_path: Path, name: str, text: bytes) -> None:
    found = read_trace(written(tmp_path, text, name))
    assert (found.name, found.step_seconds, found.series) == ("day", 60.0, ("web", "api"))
    assert found.counts.tolist() == [[1.0, 3.0, 0.0], [2.0, 4.5, 6.0]]


def test_times_with_rounding_errors_have_a_constant_step(tmp_path: Path) -> None:
    rows = "".join(f"{0.1 * at!r},1\n" for at in range(20))
    assert read_trace(written(tmp_path, "t_s,a\n" + rows)).step_seconds == pytest.approx(0.1)


def test_a_folder_gives_its_traces_by_name_and_nothing_else(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "b.csv")
    written(tmp_path, gzip.compress(GOOD.encode()), "a.csv.gz")
    written(tmp_path, "# Traces", "README.md")
    (tmp_path / "old.csv").mkdir()
    assert [found.name for found in read_traces(tmp_path)] == ["a", "b"]


def test_a_file_is_a_folder_of_one(tmp_path: Path) -> None:
    assert [found.name for found in read_traces(written(tmp_path, GOOD))] == ["trace"]


def test_every_bad_file_of_a_folder_is_told(tmp_path: Path) -> None:
    written(tmp_path, "x,y\n1,2\n", "a.csv")
    written(tmp_path, GOOD, "b.csv")
    written(tmp_path, "", "c.csv")
    assert [problem.file.name for problem in problems(tmp_path)] == ["a.csv", "c.csv"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "a.csv")
    written(tmp_path, GOOD, "a.csv.gz")
    (problem,) = problems(tmp_path)
    assert problem.file.name == "a.csv.gz"
    assert "'a'" in problem.rule


def test_a_folder_without_traces_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path)
    assert problem.rule == "no trace in this folder"


@pytest.mark.parametrize(
    ("text", "line", "column", "rule"),
    [
        ("time,web\n0,1\n60,2\n", 1, None, "no column 't_s'; the first ones are 'time', 'web'"),
        ("t_s;web\n0;1\n60;2\n", 1, None, "no column 't_s'; the first ones are 't_s;web'"),
        ("t_s\n0\n60\n", 1, None, "no series beside 't_s'"),
        ("t_s,a,a\n0,1,1\n60,2,2\n", 1, "a", "two columns have this name"),
        ("t_s,t_s,a\n0,0,1\n60,60,2\n", 1, "t_s", "two columns have this name"),
        ("t_s,a,\n0,1,\n60,2,\n", 1, "", "a column has no name"),
        ("t_s,a\n", None, None, "it has 0 rows of counts"),
        ("t_s,a\n0,1\n", None, None, "it has 1 rows of counts"),
        ("t_s,a,b\n0,1,2\n60,2\n120,3,4\n", 3, None, "the line has 2 cells and the header 3"),
        ("t_s,a\n0,1\n\n120,3\n", 3, None, "the line has 0 cells and the header 2"),
        ("t_s,a\n0,1\n60,many\n", 3, "a", "'many' is no finite number"),
        ("t_s,a\n0,1\n60,\n", 3, "a", "'' is no finite number"),
        ("t_s,a\n0,nan\n60,1\n", 2, "a", "'nan' is no finite number"),
        ("t_s,a\n0,inf\n60,1\n", 2, "a", "'inf' is no finite number"),
        ("t_s,a\n0,1\nnoon,1\n", 3, "t_s", "'noon' is no finite number"),
        ("t_s,a\n0,1\n60,-2\n120,1\n", 3, "a", "-2 is below 0"),
        ("t_s,a\n0,1\n60,1\n120,1\n240,1\n", 5, "t_s", "240 comes 120 s after the line before; the step is 60 s"),
        ("t_s,a\n0,1\n60,1\n60,1\n120,1\n180,1\n", 4, "t_s", "60 comes 0 s after the line before; the step is 60 s"),
        ("t_s,a\n120,1\n60,1\n0,1\n", None, "t_s", "the times do not rise"),
        ("", None, None, "cannot be read: it is empty"),
        ("\n\n", None, None, "cannot be read: it is empty"),
        ('t_s,a\n0,"1\n60,2\n', None, None, "cannot be read: it is no CSV (unexpected end of data)"),
        (b"t_s,a\n0,\xff\n", None, None, "cannot be read: it is no text in UTF-8"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-12], None, None, "cannot be read: the gzip data is damaged"),
        (b"\x1f\x8b\x08\x00" + b"junk" * 9, None, None, "cannot be read: the gzip data is damaged"),
    ],
)
def test_a_broken_rule_is_told_with_its_place_and_a_fix(
    tmp_path: Path, text: str | bytes, line: int | None, column: str | None, rule: str
) -> None:
    file = written(tmp_path, text)
    problem, *_ = problems(file)
    assert (problem.file, problem.line, problem.column) == (file, line, column)
    assert problem.rule.startswith(rule)
    assert problem.fix
    assert str(problem).startswith(str(file))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / "none.csv")
    assert problem.rule == "cannot be read: No such file or directory"


def test_a_file_of_somebody_else_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert problems(written(tmp_path, GOOD))[0].rule == "cannot be read: Permission denied"


def test_a_problem_is_one_sentence_with_file_line_and_column() -> None:
    problem = TraceProblem(file=Path("a.csv"), line=3, column="web", rule="-2 is below 0", fix="Write how many came")
    assert str(problem) == "a.csv, line 3, column 'web': -2 is below 0. Write how many came."


def test_a_file_that_is_wrong_everywhere_does_not_fill_the_screen(tmp_path: Path) -> None:
    rows = "".join(f"{60 * at},x,y\n" for at in range(1000))
    with pytest.raises(TraceError) as refused:
        read_trace(written(tmp_path, "t_s,a,b\n" + rows))
    assert len(refused.value.problems) == 3
    many = TraceError([refused.value.problems[0]] * 30)
    assert len(many.problems) == 30
    assert str(many).splitlines()[-1] == "... and 20 more"


def test_series_are_selected_by_name_and_pattern_in_the_order_of_the_file() -> None:
    found = Trace(
        name="t",
        step_seconds=1.0,
        series=("web", "api", "web2"),
        counts=np.arange(6.0).reshape(3, 2),
        factor=floats(1, 2, 3),
    ).select("web*", "web")
    assert found.series == ("web", "web2")
    assert found.counts.tolist() == [[0.0, 1.0], [4.0, 5.0]]
    assert found.factor.tolist() == [1.0, 3.0]


def test_a_pattern_without_a_series_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no series of made matches 'S0'; there are s0, s1"):
        trace([1], [2]).select("s1", "S0")


def test_a_series_is_scaled_so_that_its_peak_rate_is_the_given_one() -> None:
    """One step in two thousand is above the peak."""
    made = trace([*range(1, 2000), 1e6], [2.0] * 2000, step=10.0)
    assert made.peak_rps.tolist() == [199.8, 0.2]
    found = made.scaled_to(50.0)
    assert found.peak_rps == pytest.approx([50.0, 50.0])
    assert found.factor == pytest.approx([50.0 / 199.8, 250.0])
    assert found.counts == pytest.approx(made.counts * found.factor[:, None])


def test_the_factor_is_kept_over_two_scalings() -> None:
    found = trace([5.0, 10.0]).scaled_to(3.0).scaled_to(7.0)
    assert found.counts == pytest.approx(np.array([[5.0, 10.0]]) * found.factor)


def test_a_sparse_series_is_scaled_by_its_maximum() -> None:
    assert trace([0.0] * 3000 + [30.0], step=1.0).peak_rps.tolist() == [30.0]


def test_the_peak_of_a_sparse_series_is_no_sliver_between_two_steps() -> None:
    """Interpolated, the quantile of 2 busy steps in 1001 would lie anywhere between 0 and 500."""
    for idle in range(900, 2100, 37):
        assert trace([0.0] * idle + [500.0, 500.0], step=1.0).peak_rps.tolist() == [500.0]


def test_a_series_without_any_request_is_refused_and_can_be_left_out() -> None:
    made = trace([1.0, 2.0], [0.0, 0.0], [3.0, 0.0])
    with pytest.raises(ValueError, match="series s1 of made cannot be scaled: every count is 0"):
        made.scaled_to(10.0)
    assert made.select("s0", "s2").scaled_to(10.0).peak_rps == pytest.approx([10.0, 10.0])


@pytest.mark.parametrize("peak", [0.0, -1.0, float("nan"), float("inf")])
def test_a_peak_that_is_no_rate_is_refused(peak: float) -> None:
    with pytest.raises(ValueError, match="peak_rps"):
        trace([1.0]).scaled_to(peak)


@given(st.integers(2, 500), st.floats(0.01, 0.99))
def test_two_shares_have_each_step_once(steps: int, edge: float) -> None:
    made = trace(list(map(float, range(steps))))
    parts = []
    for begin, end in ((0.0, edge), (edge, 1.0)):
        try:
            parts += made.share(begin, end).counts[0].tolist()
        except ValueError as empty:
            assert "no step" in str(empty)  # noqa: PT017
    assert parts == made.counts[0].tolist()


def test_a_cut_in_seconds_has_the_steps_that_begin_in_it() -> None:
    made = trace([0.0, 1.0, 2.0, 3.0])
    assert made.between(60, 180).counts.tolist() == [[1.0, 2.0]]
    assert made.between(61, 1e9).counts.tolist() == [[2.0, 3.0]]
    assert made.share(0.0, 0.5).counts.tolist() == [[0.0, 1.0]]


def test_a_share_of_whole_steps_survives_floating_point() -> None:
    """0.7 * 10 is 7.000000000000001 for some lengths: 0.55 of 100 steps are 55."""
    assert trace([1.0] * 100).share(0.0, 0.55).steps == 55
    assert trace([1.0] * 10, step=0.1).between(0.0, 0.3).steps == 3


@pytest.mark.parametrize(("begin", "end"), [(0.5, 0.5), (-0.1, 1.0), (0.0, 1.1), (float("nan"), 1.0)])
def test_a_share_that_is_none_is_refused(begin: float, end: float) -> None:
    with pytest.raises(ValueError, match="begin"):
        trace([1.0]).share(begin, end)


def test_a_cut_behind_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match="no step of made begins there: it has 2 of 60 s"):
        trace([1.0, 2.0]).between(120, 180)
    with pytest.raises(ValueError, match="begin"):
        trace([1.0, 2.0]).between(10, 10)


def test_a_trace_has_one_row_for_each_series() -> None:
    with pytest.raises(ValueError, match="one row for each"):
        Trace(name="t", step_seconds=1.0, series=("a", "b"), counts=np.zeros((1, 3)), factor=np.ones(2))


def test_a_hundred_thousand_lines_take_a_moment(tmp_path: Path) -> None:
    rows = "".join(f"{60 * at},{at % 977}\n" for at in range(125_000))
    file = written(tmp_path, gzip.compress(("t_s,a\n" + rows).encode(), compresslevel=1), "long.csv.gz")
    began = time.process_time()
    assert read_trace(file).steps == 125_000
    assert time.process_time() - began < 2.0  # it takes about 0.2 s of one core
