"""The text format, read back by prometheus_client's parser: names and numbers come out as they went in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from foretide.app.exposition import lines
from foretide.app.families import Family, Kind

FAMILY = Family(name="foretide_x", kind=Kind.GAUGE, text='Back\\slash, "quotes".', labels=("namespace", "service"))
# The parser of prometheus_client splits lines as str.splitlines does; the format knows the newline alone.
words = st.text(st.characters(exclude_categories=["C", "Z"], include_characters='\n\\" '), max_size=12)
numbers = st.floats(allow_nan=False) | st.integers(0, 2**53)


@given(st.dictionaries(st.tuples(words, words), numbers, max_size=5))
def test_what_is_written_is_read_back(samples: dict[tuple[str, str], float]) -> None:
    [family] = text_string_to_metric_families("".join(lines(FAMILY, samples.items())))
    assert (family.name, family.type, family.documentation) == ("foretide_x", "gauge", FAMILY.text)
    read = {(found.labels["namespace"], found.labels["service"]): found.value for found in family.samples}
    assert read == samples


def test_a_family_without_series_says_what_it_is() -> None:
    assert "".join(lines(FAMILY, ())).splitlines()[1] == "# TYPE foretide_x gauge"
