"""Paths of the Kubernetes API: every part stays one part."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters.resources import (
    CHILDREN,
    DEPLOYMENT,
    HARDWARE_CLASS,
    INFERENCE_SERVICE,
    MODEL_PROFILE,
    POD,
    SCALING_POLICY,
    Resource,
    resource_of,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (POD.path(), "/api/v1/pods"),
        (POD.path(namespace="shop"), "/api/v1/namespaces/shop/pods"),
        (POD.path(namespace="shop", name="p", subresource="log"), "/api/v1/namespaces/shop/pods/p/log"),
        (
            DEPLOYMENT.path(namespace="shop", name="d", subresource="scale"),
            "/apis/apps/v1/namespaces/shop/deployments/d/scale",
        ),
        (
            INFERENCE_SERVICE.path(namespace="shop", name="s"),
            "/apis/foretide.dev/v1alpha1/namespaces/shop/inferenceservices/s",
        ),
        (
            SCALING_POLICY.path(namespace="shop", name="p"),
            "/apis/foretide.dev/v1alpha1/namespaces/shop/scalingpolicies/p",
        ),
        (MODEL_PROFILE.path(namespace="shop"), "/apis/foretide.dev/v1alpha1/namespaces/shop/modelprofiles"),
        (HARDWARE_CLASS.path(name="c"), "/apis/foretide.dev/v1alpha1/hardwareclasses/c"),
        # a kind without namespaces has none in its path
        (HARDWARE_CLASS.path(namespace="shop", name="c"), "/apis/foretide.dev/v1alpha1/hardwareclasses/c"),
    ],
)
def test_paths_are_those_of_the_api(path: str, expected: str) -> None:
    assert path == expected


names = st.text(min_size=1, max_size=10) | st.sampled_from(["../../secrets", "a/b", "a?x=1", "a#b", "%2e%2e", ".."])


@given(names, names)
def test_no_name_can_leave_its_part_of_the_path(namespace: str, name: str) -> None:
    parts = POD.path(namespace=namespace, name=name, subresource="log").split("/")
    assert len(parts) == 8
    assert [unquote(part) for part in (parts[4], parts[6])] == [namespace, name]
    assert not set("".join(parts)) & set("?# \n")


@pytest.mark.parametrize("resource", [*CHILDREN, INFERENCE_SERVICE, HARDWARE_CLASS, SCALING_POLICY, MODEL_PROFILE])
def test_an_object_finds_its_resource(resource: Resource) -> None:
    assert resource_of({"apiVersion": resource.api_version, "kind": resource.kind}) == resource


def test_a_kind_that_is_never_written_has_no_path() -> None:
    with pytest.raises(KeyError):
        resource_of({"apiVersion": "v1", "kind": "Secret"})
