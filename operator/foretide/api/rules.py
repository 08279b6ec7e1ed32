"""One validation rule, written once: CEL for the apiserver, Python for parse(), and one text for both."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_snake
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

# Types of our own errors among pydantic's.
BROKEN_RULES: Final = "foretide_rules"
QUANTITY_TYPE: Final = "foretide_quantity_type"


def itself(value: object) -> tuple[object, ...]:
    """What most rules show: the value they are about."""
    return (value,)


@dataclass(frozen=True, slots=True)
class Rule:
    """A promise about one value that the apiserver (`cel`) and parse() (`holds`) keep alike.

    The sentence a user reads is `<shown> <rule>; <fix>`. As `Annotated` metadata a rule guards a scalar, a list or a
    map; in the `rules` of a model it guards the object, and `field` says which member the sentence is about.
    """

    cel: str
    holds: Callable[[Any], bool]
    rule: str
    fix: str
    # Kubernetes before 1.35 names only the type of the value (kubernetes#132528), so the sentence brings the value:
    shown: str = '"%s"'  # a format, filled by
    cel_values: tuple[str, ...] = ("self",)  # these expressions in CEL, and
    values: Callable[[Any], tuple[object, ...]] = itself  # by this in Python
    field: str = ""

    def show(self, value: object) -> str:
        """The value as the sentence has it."""
        return self.shown % self.values(value)

    def schema(self) -> dict[str, str]:
        """The entry of `x-kubernetes-validations`; `message` is what remains when the value has a line break."""
        entry = {
            "rule": self.cel,
            "message": f"{self.rule}; {self.fix}",
            "messageExpression": self._message(self.shown),
        }
        return {**entry, "fieldPath": f".{self.field}"} if self.field else entry

    def schema_of(self, path: str) -> dict[str, str]:
        """The entry at the root of an object for the member `path`, which the apiserver does not name by itself."""
        subject = f"self.{path}"
        return {
            "rule": self.cel.replace("self", subject),
            "message": f"{path} {self.rule}; {self.fix}",
            "messageExpression": self._message(f"{path}: {self.shown}").replace("[self]", f"[{subject}]"),
        }

    def _message(self, shown: str) -> str:
        told = f"{self.rule}; {self.fix}".replace("%", "%%")  # only `shown` is a format: 20% is not one
        return f"{literal(f'{shown} {told}')}.format([{', '.join(self.cel_values)}])"

    def _check(self, value: Any) -> Any:
        require((self,), value)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        described = handler(schema)
        others = described.get("x-kubernetes-validations", [])
        return {**described, "x-kubernetes-validations": [*others, self.schema()]}


def require(rules: Sequence[Rule], value: Any) -> None:
    """Raise one error that carries every broken rule, so that a user sees all of them at once."""
    broken = tuple(rule for rule in rules if not rule.holds(value))
    if broken:
        raise PydanticCustomError(BROKEN_RULES, "breaks a rule", {"broken": broken, "value": value})


def literal(text: str) -> str:
    """The text as a CEL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def listed(names: Iterable[str]) -> str:
    """The texts as a CEL list."""
    return f"[{', '.join(literal(name) for name in names)}]"


def ordered(lower: str, upper: str) -> Rule:
    """A rule between two members of an object, by their names in the API: the first is not above the second."""
    low, high = to_snake(lower), to_snake(upper)
    return Rule(
        cel=f"self.{lower} <= self.{upper}",
        holds=lambda fields: getattr(fields, low) <= getattr(fields, high),
        rule=f"must not be greater than {upper}",
        fix=f"raise {upper} or lower {lower}",
        shown=f"%s with {upper} %s",
        cel_values=(f"self.{lower}", f"self.{upper}"),
        values=lambda fields: (getattr(fields, low), getattr(fields, high)),
        field=lower,
    )


def matching(pattern: str, rule: str, fix: str) -> Rule:
    """A rule that the whole string matches `pattern`, in the subset of regular expressions that RE2 and `re` share."""
    compiled = re.compile(pattern)
    return Rule(
        cel=f"self.matches({literal(f'^({pattern})$')})",
        holds=lambda text: compiled.fullmatch(text) is not None,
        rule=rule,
        fix=fix,
    )


@dataclass(frozen=True, slots=True)
class KeyedBy:
    """A list whose items differ in one member, by its name in the API: a list-map, so that two writers can merge their
    items."""

    key: str

    def _check(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        keys = [item.model_dump(by_alias=True)[self.key] for item in items]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        # The apiserver has this rule built in ("Duplicate value"), so there is no CEL for it.
        require([self._not_twice(key) for key in twice], items)
        return items

    def _not_twice(self, key: str) -> Rule:
        return Rule(
            cel="",
            holds=lambda items: False,
            rule=f"must be the {self.key} of one item only",
            fix="rename or remove the others",
            values=lambda items: (key,),
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}
        return {**handler(schema), **keyed}
