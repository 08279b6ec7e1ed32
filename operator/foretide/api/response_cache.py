"""The cache of answers that each replica may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from foretide.api.backends import ANSWERS_MANY, UNBATCHED
from foretide.api.fields import Fields
from foretide.api.quantities import parse_quantity
from foretide.api.rules import Rule, listed, literal, matching

if TYPE_CHECKING:
    from foretide.api.inferenceservice import InferenceServiceSpec

# Triton's cache keeps its own books in it: below some kilobytes nothing fits beside them.
CacheSize = Annotated[
    str,
    Field(min_length=1, max_length=8),
    matching("[1-9][0-9]{0,4}Mi|[1-9][0-9]{0,2}Gi", "must be from 1Mi to 999Gi", 'write it like "64Mi"'),
]


class ResponseCache(Fields):
    """Answers that a replica keeps in its memory, so that the same request is not computed twice."""

    size: CacheSize = Field(examples=["64Mi"])
    """Memory of each replica for answers, from 1Mi to 999Gi and no more than half of the class's memory limit; the
    longest unused ones make room for new ones."""

    @property
    def size_bytes(self) -> int:
        return int(parse_quantity(self.size))


# Not of a backend that cannot be decoupled, of which the model's own rule tells.
_DECOUPLED: Final = (
    f"self.model.backend in {listed(ANSWERS_MANY)} && "
    f"(has(self.model.decoupled) ? self.model.decoupled : self.model.backend == {literal(UNBATCHED)})"
)

# What the cache must keep to of the rest of the spec.
CACHE_RULES: Final = (
    Rule(
        cel=f"!has(self.responseCache) || !({_DECOUPLED})",
        holds=lambda spec: spec.response_cache is None or not spec.model.is_decoupled,
        rule="must not be set for a model that is decoupled, because Triton keeps no answer that comes in parts",
        fix="remove responseCache, or write decoupled: false if each request has one answer",
        shown="%s",
        cel_values=("self.responseCache.size",),
        values=lambda spec: (_size(spec),),
        field="responseCache",
    ),
)


def _size(spec: InferenceServiceSpec) -> str:
    return "" if spec.response_cache is None else spec.response_cache.size
