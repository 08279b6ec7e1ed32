"""The base of all models of the API: frozen, strict, closed, camelCase outside and snake_case inside."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from foretide.api.rules import Rule, require


class Fields(BaseModel):
    """An object of the API; a field nobody knows is refused, so nothing a user writes is silently ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        strict=True,
        use_attribute_docstrings=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()
    """What must hold between the members of this object."""

    @model_validator(mode="after")
    def _keeps_its_rules(self) -> Self:
        require(self.rules, self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        described = handler(schema)
        if cls.rules:
            own = handler.resolve_ref_schema(described)
            own["x-kubernetes-validations"] = [rule.schema() for rule in cls.rules]
        return described
