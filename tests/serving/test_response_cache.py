"""The cache of answers: on by two words, each useless without the other, and in the memory that the class has."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.api.quantities import parse_quantity
from foretide.serving.manifests import ServingSettings, build
from foretide.serving.model_config import model_config
from foretide.serving.response_cache import misfit
from tests.serving.strategies import hardware, service
from tests.serving.test_model_config import read

MIB = 2**20


def pod(limit: str | None = None, **spec: Any) -> dict[str, Any]:
    limits = {} if limit is None else {"memory": limit}
    made = build(service(**spec), hardware(resources={"limits": limits}), settings=ServingSettings())
    (found,) = (one["spec"]["template"]["spec"] for one in made if one["kind"] == "Deployment")
    return dict(found)


def flags(found: dict[str, Any]) -> list[str]:
    return [flag for flag in found["containers"][0]["args"] if "cache" in flag]


@pytest.mark.parametrize(("size", "bytes_"), [("1Mi", MIB), ("64Mi", 64 * MIB), ("2Gi", 2048 * MIB)])
def test_a_cache_has_its_size_in_bytes_and_the_model_uses_it(size: str, bytes_: int) -> None:
    cached: Any = {"responseCache": {"size": size}}
    assert flags(pod(**cached)) == [f"--cache-config=local,size={bytes_}"]
    assert read(model_config(service(**cached), hardware())).response_cache.enable


def test_without_one_nothing_is_said_of_it() -> None:
    assert flags(pod()) == []
    assert not read(model_config(service(), hardware())).HasField("response_cache")


def test_tensors_of_any_size_share_the_memory_with_the_cache() -> None:
    def shared(**spec: Any) -> int:
        (volume,) = (one["emptyDir"] for one in pod("4Gi", **spec)["volumes"] if one["name"] == "shm")
        return int(parse_quantity(volume["sizeLimit"])) // MIB

    assert shared() == 2048
    assert shared(responseCache={"size": "1Gi"}) == 1536


@pytest.mark.parametrize(
    ("size", "limit", "fits"),
    [
        ("512Mi", "1Gi", True),
        ("513Mi", "1Gi", False),
        ("1Gi", "2147483648", True),
        ("1Gi", "2G", False),
        ("999Gi", None, True),  # nobody said how much there is
    ],
)
def test_a_cache_has_half_of_the_memory_limit_at_most(size: str, limit: str | None, fits: bool) -> None:
    limits = {} if limit is None else {"memory": limit}
    said = misfit(service(responseCache={"size": size}), hardware(resources={"limits": limits}))
    assert (said == "") is fits
    if not fits:
        assert said == (
            f"spec.responseCache.size: {size} is more than half of the memory limit of {limit} of HardwareClass "
            '"cpu-16"; lower the size, or use a class with more memory'
        )
    assert misfit(service(), hardware(resources={"limits": limits})) == ""
