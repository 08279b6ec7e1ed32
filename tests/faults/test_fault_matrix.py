"""Every row of the fault matrix has a test or says where else it is proved; the page says what there is."""

from __future__ import annotations

from e2e.faults import matrix

# None of them may be without a test of its own.
OWN = [*range(1, 36), *range(40, 43), *range(45, 54), 58, 60, 61, *range(63, 67)]


def test_there_is_a_row_for_each_number() -> None:
    assert list(matrix.ROWS) == list(matrix.NUMBERS)


def test_each_of_the_rows_has_its_test() -> None:
    found = matrix.of_rows()
    assert [number for number in OWN if number not in found] == []
    assert found.keys() <= matrix.ROWS.keys()


def test_what_is_proved_elsewhere_is_there() -> None:
    for number, words in matrix.ELSEWHERE.items():
        for word in words.replace(",", " ").replace(":", " ").split():
            if word.startswith(("e2e/", "tests/")):
                assert (matrix.ROOT / word).exists(), f"F{number:02}: {word}"


def test_the_page_is_that_of_the_rows() -> None:
    assert matrix.PAGE.read_text() == matrix.page(), "run `python -m e2e.faults.matrix`"
