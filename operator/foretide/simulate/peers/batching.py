"""How much of its batching a peer's capacity model counts on."""

from __future__ import annotations

import numpy as np

from foretide.scaling.arrays import Ints
from foretide.simulate.peers.profile import Profile


def largest_batch(profile: Profile, *, batch_times: float) -> Ints:
    """The largest batch that fits so many times into the SLO; one item at least.

    1: a batch is as long as the SLO at most. 2: a request may also wait for the batch before its own (Nexus, SOSP
    2019).
    """
    fitting = profile.slo_latency_seconds / batch_times - profile.fixed_seconds
    items = np.floor(fitting / np.maximum(profile.per_item_seconds, 1e-12) + 1e-9)
    return np.clip(items, 1, profile.max_batch).astype(np.int64)
