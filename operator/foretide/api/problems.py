"""What is wrong with an object, in sentences that name the field, the value, the rule and the way out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from foretide.api.rules import Rule

_SHOWN_CHARACTERS: Final = 100
_SHOWN_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule."""

    field: str
    value: str
    rule: str
    fix: str

    @property
    def sentence(self) -> str:
        return f"{self.field}: {self.value} {self.rule}; {self.fix}"


@dataclass(frozen=True, slots=True)
class Problems:
    """Everything that is wrong with one object; never empty."""

    items: tuple[Problem, ...]

    @property
    def message(self) -> str:
        """The sentences, one a line, cut to the first 20: a condition's message has a limit."""
        lines = [problem.sentence for problem in self.items[:_SHOWN_PROBLEMS]]
        if len(self.items) > _SHOWN_PROBLEMS:
            lines.append(f"and {len(self.items) - _SHOWN_PROBLEMS} more")
        return "\n".join(lines)


def missing(field: str, example: str = "") -> Problem:
    """The problem of a required field that is not there."""
    return Problem(field, "(missing)", "is required", f"add it{example}")


def broken(rule: Rule, value: object, field: str = "") -> Problem:
    """The problem of a rule that does not hold for the `value` of `field`, by default the whole object."""
    where = ".".join(part for part in (field, rule.field) if part)
    return Problem(where, one_line(rule.show(value)), rule.rule, rule.fix)


def shown(value: object) -> str:
    """The value as one line of at most 100 characters; an object or a list is only counted."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > 64:  # Python refuses to print more than 4,300 digits
            return f"an integer of {value.bit_length()} bits"
        case str():
            return one_line(f'"{value}"')
        case Mapping():
            return f"an object of {len(value)} members"
        case list() | tuple():
            return f"a list of {len(value)} items"
        case _:
            return one_line(str(value))


def one_line(text: str) -> str:
    """The text cut to 100 characters, with a mark in place of what would break a line or a terminal."""
    line = text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
