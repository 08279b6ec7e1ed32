"""The clairvoyant optimum: what the cheapest fleet would have cost, for someone who knows the future.

- `zero_violation`: exact, one hardware class, every step served.
- `budgeted` and `bound_curve`: some violations allowed; a proven lower bound and a schedule that attains nearly it.
- `cheapest_mix`: several hardware classes, as a linear program.
"""

from foretide.simulate.optimum.budget import Budgeted, bound_curve, budgeted
from foretide.simulate.optimum.exact import Schedule, zero_violation
from foretide.simulate.optimum.mix import HardwareOption, Mix, cheapest_mix
from foretide.simulate.optimum.prices import BoundCurve
from foretide.simulate.optimum.violations import (
    ServedAtMost,
    ViolationModel,
    ViolationTable,
    WholeSteps,
    most_in_time_rps,
)

__all__ = [
    "BoundCurve",
    "Budgeted",
    "HardwareOption",
    "Mix",
    "Schedule",
    "ServedAtMost",
    "ViolationModel",
    "ViolationTable",
    "WholeSteps",
    "bound_curve",
    "budgeted",
    "cheapest_mix",
    "most_in_time_rps",
    "zero_violation",
]
