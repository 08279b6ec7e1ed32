"""What goes wrong in a run: Prometheus is away, scrapes are lost, replicas crash."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from foretide.simulate.scenario import Conditions, Outage


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbances:
    """By default nothing."""

    outages: tuple[Outage, ...] = ()  # of Prometheus, in seconds since the judged part began
    crashes_per_hour: float = 0.0  # of each ready replica
    lost_scrapes: float = 0.0  # share

    def conditions(self, *, scrape_seconds: float, warm_up_seconds: float) -> Conditions:
        """Of a run that begins with such a warm-up."""
        return Conditions(
            scrape_seconds=scrape_seconds,
            lost_scrapes=self.lost_scrapes,
            crashes_per_hour=self.crashes_per_hour,
            outages=tuple(
                Outage(
                    start_seconds=warm_up_seconds + outage.start_seconds,
                    end_seconds=warm_up_seconds + outage.end_seconds,
                )
                for outage in self.outages
            ),
        )

    @property
    def recorded(self) -> dict[str, Any]:
        """For a result."""
        return {
            "outages": [asdict(outage) for outage in self.outages],
            "crashes_per_hour": self.crashes_per_hour,
            "lost_scrapes": self.lost_scrapes,
        }


UNDISTURBED: Final = Disturbances()
