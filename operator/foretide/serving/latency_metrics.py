"""By which metrics a Triton pod tells its latencies: a histogram around the SLO from 26.01 on, and summaries.

A version that does not know a field of config.pbtxt or a setting ends at once, so what is newer than 24.10 goes only to
images that say how new they are.
"""

from __future__ import annotations

import re
from typing import Final

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService

HISTOGRAM_FAMILY: Final = "nv_inference_first_response_histogram_ms"
# From 24.11 on of models that answer several times, from 26.01 on of all.
FIRST_WITH_HISTOGRAM: Final = (26, 1)
# NVIDIA's name and the release in its tag, wherever the image is kept: nvcr.io/nvidia/tritonserver:26.07-py3. An image
# of another name may count its own releases.
_RELEASE: Final = re.compile(r"(?:[^@]*/)?tritonserver:(\d\d)\.(0[1-9]|1[0-2])(?:-[^@]*)?(?:@.*)?")

# Of the SLO's latency. The SLO itself is one, or the share within it would be a guess; each costs a series a pod.
BOUNDS: Final = (0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
# The same for every objective, so that a change of it rolls nothing out. Each with its error in ranks: of 10,000
# requests in 22 s with a p99.9 of 47 ms Triton's own quantiles (0.999 with 0.001) said 269 ms, and these 45 ms of 46.
# That takes no more processor time or memory.
QUANTILES: Final = {
    0.5: 0.02,
    0.9: 0.01,
    0.95: 0.005,
    0.99: 0.001,
    0.995: 0.0005,
    0.999: 0.0005,
    0.9999: 0.0002,
}


def has_histogram(hardware_class: HardwareClass) -> bool:
    """Whether the image is a Triton that tells a histogram of all models; false where its name does not say."""
    found = _RELEASE.fullmatch(hardware_class.spec.triton.image)
    return found is not None and (int(found[1]), int(found[2])) >= FIRST_WITH_HISTOGRAM


def histogram_bounds_ms(service: InferenceService, hardware_class: HardwareClass) -> tuple[str, ...]:
    """Bounds of the model's histogram, as Triton reads them; none where it has no such thing."""
    if not has_histogram(hardware_class):
        return ()
    return tuple(f"{1_000.0 * service.latency_seconds * share:.9g}" for share in BOUNDS)


def flags(hardware_class: HardwareClass) -> list[str]:
    """Flags of tritonserver."""
    quantiles = ",".join(f"{quantile:g}:{error:g}" for quantile, error in QUANTILES.items())
    return [
        "--metrics-config=summary_latencies=true",
        f"--metrics-config=summary_quantiles={quantiles}",
        *(["--metrics-config=histogram_latencies=true"] if has_histogram(hardware_class) else []),
    ]
