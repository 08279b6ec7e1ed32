"""From files to traces: CSV or gzipped CSV, a column `t_s` with a constant step, and one column per series.

A value is the number of requests in [t_s, t_s + step). All of a file is checked before any of it is used, and an
empty cell is no zero: whoever made the file must say which it is.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.simulate.traces.problems import TraceError, TraceProblem
from foretide.simulate.traces.trace import Trace

TIME: Final = "t_s"
SUFFIXES: Final = (".csv", ".csv.gz")
GZIP_MAGIC: Final = b"\x1f\x8b"
# Times such as 0.1, 0.2, 0.30000000000000004 have a constant step.
UNEVEN: Final = 1e-3
# Of one kind of problem in one file, the first ones tell enough.
MOST_OF_A_KIND: Final = 3


def read_traces(path: Path) -> tuple[Trace, ...]:
    """One file, or all `.csv` and `.csv.gz` files of a folder in the order of their names; other files are ignored."""
    if not path.is_dir():
        return (read_trace(path),)
    try:
        files = sorted(file for file in path.iterdir() if file.name.lower().endswith(SUFFIXES) and file.is_file())
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error), "Check that the folder is yours") from error
    if not files:
        raise TraceError(
            [TraceProblem(file=path, rule="no trace in this folder", fix=f"Put {' or '.join(SUFFIXES)} in")]
        )
    traces: dict[str, Trace] = {}
    problems: list[TraceProblem] = []
    for file in files:
        try:
            trace = read_trace(file)
        except TraceError as error:
            problems.extend(error.problems)
            continue
        if trace.name in traces:
            rule = f"there is another file for the trace {trace.name!r}"
            problems.append(TraceProblem(file=file, rule=rule, fix="Rename or remove one of them"))
        traces[trace.name] = trace
    if problems:
        raise TraceError(problems)
    return tuple(traces.values())


def read_trace(file: Path) -> Trace:
    """The trace of one file; its name is that of the file without `.csv` or `.csv.gz`."""
    lines = _lines(file)
    header, rows = [name.strip() for name in lines[0]], lines[1:]
    _refuse(_header_problems(file, header))
    _refuse(_shape_problems(file, header, rows))
    try:
        table = np.array(rows, dtype=np.float64)
        sound = bool(np.all(np.isfinite(table)))
    except ValueError:
        sound = False
    if not sound:
        _refuse(_cell_problems(file, header, rows))
    time = header.index(TIME)
    counts = np.delete(table, time, axis=1)
    names = [name for name in header if name != TIME]
    _refuse([*_time_problems(file, table[:, time]), *_negative_problems(file, names, counts)])
    step = float(np.median(np.diff(table[:, time])))
    return Trace(
        name=_name(file),
        step_seconds=step,
        series=tuple(names),
        counts=np.ascontiguousarray(counts.T),
        factor=np.ones(len(names)),
    )


def _name(file: Path) -> str:
    ending = next((suffix for suffix in reversed(SUFFIXES) if file.name.lower().endswith(suffix)), "")
    return file.name[: len(file.name) - len(ending)]


def _lines(file: Path) -> list[list[str]]:
    """The cells of all lines, without empty lines at the end."""
    try:
        raw = file.read_bytes()
        # Some tools pack without renaming, and some rename without packing.
        text = (gzip.decompress(raw) if raw.startswith(GZIP_MAGIC) else raw).decode("utf-8-sig")
        lines = list(csv.reader(text.splitlines(), strict=True))
    except OSError as error:
        raise _unreadable(
            file, error.strerror or str(error), "Check that the file is there, whole, and yours"
        ) from error
    except (EOFError, zlib.error) as error:
        raise _unreadable(file, f"the gzip data is damaged ({error})", "Copy or pack the file again") from error
    except UnicodeDecodeError as error:
        raise _unreadable(file, "it is no text in UTF-8", "Save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise _unreadable(
            file, f"it is no CSV ({error})", "Separate the cells by commas, with quotes in pairs"
        ) from error
    while lines and not any(cell.strip() for cell in lines[-1]):
        lines.pop()
    if not lines:
        raise _unreadable(file, "it is empty", f"Write a header with {TIME} and the names of the series, then the rows")
    return lines


def _unreadable(file: Path, why: str, fix: str) -> TraceError:
    return TraceError([TraceProblem(file=file, rule=f"cannot be read: {why}", fix=fix)])


def _refuse(problems: Sequence[TraceProblem]) -> None:
    if problems:
        raise TraceError(problems)


def _header_problems(file: Path, header: list[str]) -> list[TraceProblem]:
    found = []
    if TIME not in header:
        seen = ", ".join(repr(name) for name in header[:5])
        fix = f"Call the column of seconds {TIME}, and separate columns by commas"
        found.append(TraceProblem(file=file, line=1, rule=f"no column {TIME!r}; the first ones are {seen}", fix=fix))
    elif len(header) == 1:
        fix = "Add one column of counts per series"
        found.append(TraceProblem(file=file, line=1, rule=f"no series beside {TIME!r}", fix=fix))
    for name in sorted({name for name in header if header.count(name) > 1 or not name}):
        rule = "two columns have this name" if name else "a column has no name"
        found.append(TraceProblem(file=file, line=1, column=name, rule=rule, fix="Give each column a name of its own"))
    return found


def _shape_problems(file: Path, header: list[str], rows: list[list[str]]) -> list[TraceProblem]:
    if len(rows) < 2:
        fix = "Write two rows or more, for the step is the time between them"
        return [TraceProblem(file=file, rule=f"it has {len(rows)} rows of counts", fix=fix)]
    wrong = ((line, len(row)) for line, row in enumerate(rows, start=2) if len(row) != len(header))
    return [
        TraceProblem(
            file=file,
            line=line,
            rule=f"the line has {cells} cells and the header {len(header)}",
            fix="Write one number for each column, also where there were no requests",
        )
        for line, cells in islice(wrong, MOST_OF_A_KIND)
    ]


def _cell_problems(file: Path, header: list[str], rows: list[list[str]]) -> list[TraceProblem]:
    """Cells that are no finite numbers."""

    def wrong() -> Iterator[TraceProblem]:
        for line, row in enumerate(rows, start=2):
            for name, cell in zip(header, row, strict=True):
                try:
                    sound = bool(np.isfinite(np.float64(cell)))
                except ValueError:
                    sound = False
                if not sound:
                    rule = f"{cell.strip()[:40]!r} is no finite number"
                    fix = "Write 0 only where it is known that no request came; else leave out the series or that time"
                    yield TraceProblem(file=file, line=line, column=name, rule=rule, fix=fix)

    return list(islice(wrong(), MOST_OF_A_KIND))


def _time_problems(file: Path, times: Floats) -> list[TraceProblem]:
    gaps = np.diff(times)
    step = float(np.median(gaps))
    if step <= 0.0:
        fix = "Sort the rows by time, one row for each step"
        return [TraceProblem(file=file, column=TIME, rule="the times do not rise", fix=fix)]
    uneven = np.flatnonzero(np.abs(gaps - step) > UNEVEN * step)
    return [
        TraceProblem(
            file=file,
            line=int(at) + 3,
            column=TIME,
            rule=f"{times[at + 1]:.15g} comes {gaps[at]:.6g} s after the line before; the step is {step:.6g} s",
            fix="Write a row for every step, or split the file at the gap",
        )
        for at in uneven[:MOST_OF_A_KIND]
    ]


def _negative_problems(file: Path, names: list[str], counts: Floats) -> list[TraceProblem]:
    cells = np.argwhere(counts < 0.0)[:MOST_OF_A_KIND]
    return [
        TraceProblem(
            file=file,
            line=int(row) + 2,
            column=names[int(column)],
            rule=f"{counts[row, column]:g} is below 0",
            fix="Write how many requests came in the step",
        )
        for row, column in cells
    ]
