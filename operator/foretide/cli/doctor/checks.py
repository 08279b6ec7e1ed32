"""The checks. Each asks the cluster one thing, and turns an answer that it does not get into a finding of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import combinations
from typing import Any, Final

from foretide.adapters.errors import AdapterError
from foretide.adapters.kubeconfig import Cluster
from foretide.adapters.lease import LEASE_NAME
from foretide.adapters.resources import (
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_SERVICE,
    LEASE,
    SUBJECT_ACCESS_REVIEW,
)
from foretide.api import group
from foretide.api.crdenvelope import definitions
from foretide.cli import moments
from foretide.cli.doctor.findings import Finding, Level, some, unknown
from foretide.cli.doctor.permissions import Need, needs
from foretide.cli.operator import Operator
from foretide.cli.service import read
from foretide.control.drift import drift

OURS: Final = f"{group.MANAGED_BY_LABEL}={group.MANAGED_BY}"
# A renewal every 2 s, a lease of 15 s.
STALE_LEASE_SECONDS: Final = 20.0
# The Date of an HTTP answer is of a whole second, and has been on its way.
SKEW_SECONDS: Final = 5.0
# Of fifty namespaces there are 2,100; none of them times out in waiting for a connection.
REVIEWS_AT_ONCE: Final = 32
INSTALL: Final = "helm upgrade --install foretide charts/foretide -n foretide-system --create-namespace"


async def crds(cluster: Cluster) -> AsyncIterator[Finding]:
    """There, established, and of this version."""
    fix = "kubectl foretide crds | kubectl apply --server-side --force-conflicts -f -"
    for name, wanted in definitions().items():
        check = f"CRD {name}"
        try:
            live = await cluster.api.get(CUSTOM_RESOURCE_DEFINITION, namespace=None, name=name)
        except AdapterError as error:
            yield unknown(check, error)
            continue
        if live is None:
            yield Finding(check, Level.FAILURE, "is not installed", fix)
            continue
        said = {one["type"]: one["status"] for one in live.get("status", {}).get("conditions", ())}
        if (path := drift(wanted["spec"], live["spec"])) is not None:
            message = f"is not of this version: it differs from spec{path} on"
            yield Finding(check, Level.FAILURE, message, f"{fix}, or use the plugin of the operator's version")
        elif said.get("Established") != "True":
            yield Finding(check, Level.FAILURE, "is not established", f"kubectl describe crd {name} says why")
        else:
            yield Finding(check, Level.OK, "is established and of this version")


async def running(cluster: Cluster, found: Sequence[Operator]) -> AsyncIterator[Finding]:
    """One operator, ready and leading, with a clock that is right."""
    if not found:
        yield Finding("operator", Level.FAILURE, "no Deployment of it is found in any namespace", INSTALL)
        return
    if any(one.shares_with(other) for one, other in combinations(found, 2)):
        names = some([f"{one.namespace}/{one.name}" for one in found])
        fix = "uninstall all but one, or part the namespaces among them (watchNamespaces): each has a Lease of its own"
        yield Finding("operator", Level.FAILURE, f"there are {len(found)} for the same namespaces: {names}", fix)
    for one in found:
        logs = f"kubectl -n {one.namespace} logs deploy/{one.name} --tail=50"
        count = f"{one.ready} of {one.wanted} replicas of {one.namespace}/{one.name} are ready ({one.image})"
        yield Finding("operator", Level.OK if one.ready else Level.FAILURE, count, "" if one.ready else logs)
        async for finding in leading(cluster, one, logs):
            yield finding


async def leading(cluster: Cluster, one: Operator, logs: str) -> AsyncIterator[Finding]:
    """The Lease is held and renewed; by its time also the operator's clock is judged."""
    try:
        lease = await cluster.api.get(LEASE, namespace=one.namespace, name=LEASE_NAME)
        now = await cluster.api.now()
    except AdapterError as error:
        yield unknown("leader", error)
        return
    spec: dict[str, Any] = {} if lease is None else lease.get("spec", {})
    renewed = moments.parse(str(spec.get("renewTime", "")))
    if not spec.get("holderIdentity") or renewed is None:
        yield Finding("leader", Level.FAILURE, f"nobody holds Lease {one.namespace}/{LEASE_NAME}", logs)
        return
    ago = now - renewed.timestamp()
    if ago > STALE_LEASE_SECONDS:
        message = f"{spec['holderIdentity']} renewed the Lease last {ago:.0f} s ago: it is away, or its clock is behind"
        yield Finding("leader", Level.FAILURE, message, f"{logs}; and look at the clock of its node")
        return
    yield Finding("leader", Level.OK, f"{spec['holderIdentity']} leads")
    if ago < -SKEW_SECONDS:
        message = f"the clock of the operator's node is {-ago:.0f} s ahead of the API server's"
        yield Finding("clock of the operator", Level.WARNING, message, "let NTP set the clocks of all nodes")
    else:
        yield Finding("clock of the operator", Level.OK, "agrees with the API server's")


async def permissions(cluster: Cluster, one: Operator) -> AsyncIterator[Finding]:
    """What its service account may do, by the API server's own judgement."""
    check, user = "permissions", f"system:serviceaccount:{one.namespace}:{one.service_account}"
    wanted = list(needs(one.namespace, one.namespaces))
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{one.namespace}", "system:authenticated"]
    slots = asyncio.Semaphore(REVIEWS_AT_ONCE)

    async def allowed(need: Need) -> bool:
        async with slots:
            return await _may(cluster, user, groups, need)

    try:
        answers = await asyncio.gather(*map(allowed, wanted))
    except AdapterError as error:
        yield unknown(check, error, "reviews of another's access need the right to create subjectaccessreviews")
        return
    refused = [str(need) for need, may in zip(wanted, answers, strict=True) if not may]
    if refused:
        fix = "the chart's ClusterRole and Roles grant them all: `helm upgrade` brings them back"
        yield Finding(check, Level.FAILURE, f"{user} may not {some(refused)}", fix)
    else:
        yield Finding(check, Level.OK, f"{user} may do all {len(wanted)} things it must")


async def _may(cluster: Cluster, user: str, groups: Sequence[str], need: Need) -> bool:
    resource, _, subresource = need.resource.partition("/")
    attributes = {"verb": need.verb, "group": need.api_group, "resource": resource}
    if subresource:
        attributes["subresource"] = subresource
    if need.namespace is not None:
        attributes["namespace"] = need.namespace
    # RBAC cannot limit create by name.
    if resource == LEASE.plural and need.verb != "create":
        attributes["name"] = LEASE_NAME
    review = {
        "apiVersion": SUBJECT_ACCESS_REVIEW.api_version,
        "kind": SUBJECT_ACCESS_REVIEW.kind,
        "metadata": {},
        "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
    }
    return bool((await cluster.api.create(review)).get("status", {}).get("allowed"))


async def rivals(cluster: Cluster) -> AsyncIterator[Finding]:
    """No other scaler has one of our Deployments for its target."""
    check = "other scalers"
    try:
        ours = {
            (raw["metadata"]["namespace"], raw["metadata"]["name"])
            for raw in await cluster.api.list(DEPLOYMENT, label_selector=OURS)
        }
        scalers = await cluster.api.list(HORIZONTAL_POD_AUTOSCALER)
    except AdapterError as error:
        yield unknown(check, error)
        return
    clean = True
    for scaler in scalers:
        metadata, target = scaler["metadata"], scaler["spec"]["scaleTargetRef"]
        if target.get("kind") != "Deployment" or (metadata["namespace"], target.get("name")) not in ours:
            continue
        clean = False
        makers = [one for one in metadata.get("ownerReferences", ()) if one.get("kind") == "ScaledObject"]
        kind, name = ("scaledobject", makers[0]["name"]) if makers else ("hpa", metadata["name"])
        message = (
            f"{'KEDA ScaledObject' if makers else 'HorizontalPodAutoscaler'} {metadata['namespace']}/{name} targets "
        )
        message += f"Deployment {target['name']}, so Foretide does not scale it"
        fix = f"kubectl -n {metadata['namespace']} delete {kind} {name}, or set spec.scaling.paused of the service"
        yield Finding(check, Level.FAILURE, message, fix)
    if clean:
        yield Finding(check, Level.OK, f"none targets one of the {len(ours)} Deployments of services")


async def services(cluster: Cluster, installed: Sequence[Operator]) -> AsyncIterator[Finding]:
    """What their own statuses say, of those that an operator looks after."""
    check = "services"
    try:
        everywhere = [read(raw) for raw in await cluster.api.list(INFERENCE_SERVICE)]
    except AdapterError as error:
        yield unknown(check, error)
        return
    found = [one for one in everywhere if not installed or any(each.works_in(one.namespace) for each in installed)]
    if len(found) < len(everywhere):
        known = {(one.namespace, one.name) for one in found}
        alone = [f"{one.namespace}/{one.name}" for one in everywhere if (one.namespace, one.name) not in known]
        message = f"{len(alone)} are in namespaces that no operator works in: {some(alone)}"
        yield Finding(check, Level.WARNING, message, "add the namespace to watchNamespaces of the chart")
    alarmed = [f"{one.namespace}/{one.name} ({one.state})" for one in found if one.state != "OK"]
    if alarmed:
        message = f"{len(alarmed)} of {len(found)} have something to look at: {some(alarmed)}"
        yield Finding(check, Level.WARNING, message, "kubectl foretide status -A, then status SERVICE -n NAMESPACE")
    else:
        yield Finding(check, Level.OK, f"all {len(found)} do well")


async def own_clock(cluster: Cluster, now_seconds: float) -> AsyncIterator[Finding]:
    """That of this machine: ages in status and --at are by it."""
    try:
        off = now_seconds - await cluster.api.now()
    except AdapterError as error:
        yield unknown("clock of this machine", error)
        return
    if abs(off) > SKEW_SECONDS:
        way = "ahead of" if off > 0 else "behind"
        message = f"is {abs(off):.0f} s {way} the API server's: ages are shown wrong by that"
        yield Finding("clock of this machine", Level.WARNING, message, "let NTP set it")
    else:
        yield Finding("clock of this machine", Level.OK, "agrees with the API server's")
