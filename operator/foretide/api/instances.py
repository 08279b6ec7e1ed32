"""How many copies of a model one replica runs: a number, or Auto."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from foretide.api.quantities import as_text
from foretide.api.rules import Rule

AUTO: Final = "Auto"
_INSTANCES: Final = f"{AUTO}|[1-9]|[1-5][0-9]|6[0-4]"

Instances = Annotated[
    str,
    Field(min_length=1, max_length=4, json_schema_extra={"x-kubernetes-int-or-string": True}),
    Rule(
        cel=f"string(self).matches('^({_INSTANCES})$')",
        holds=lambda text: re.fullmatch(_INSTANCES, text) is not None,
        rule="must be Auto or a number from 1 to 64",
        fix="write Auto to have it derived from the CPUs or GPU of the class",
    ),
    BeforeValidator(as_text),
]
