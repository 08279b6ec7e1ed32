"""Dashboards as JSON that Grafana 10 and later read: panels in rows from left to right, every query to Prometheus.

Own code: of Grafana's model five kinds of panel and one of variable are needed, and the JSON is what is checked in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

SCHEMA_VERSION: Final = 39  # Grafana 10.4; newer ones migrate it when they load it
COLUMNS: Final = 24
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]


class Unit(StrEnum):
    """Grafana's words for units."""

    PLAIN = "short"
    SECONDS = "s"
    SHARE = "percentunit"
    PER_SECOND = "ops"
    BYTES = "bytes"


class Kind(StrEnum):
    """What a panel looks like."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression, and what its series are called: `{{label}}` is the value of a label."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture. Of a table each query is a column, under its legend."""

    title: str
    text: str  # what it means, for who hovers over it
    queries: tuple[Query, ...]
    kind: Kind = Kind.LINES
    unit: Unit = Unit.PLAIN
    width: int = 8
    stacked: bool = False
    least: float | None = 0.0  # of the axis; None where values are below 0
    red_above: float | None = None
    red_below: float | None = None
    shown: tuple[str, ...] = ()  # labels that a table keeps as columns, in their order

    def as_json(self, number: int, place: Json) -> Json:
        """The panel at a place of the grid."""
        return {
            "id": number,
            "type": self.kind.value,
            "title": self.title,
            "description": self.text,
            "datasource": _DATASOURCE,
            "gridPos": place,
            "targets": [self._target(index, query) for index, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": self._options(),
            **({"transformations": list(self._transformations())} if self.kind is Kind.TABLE else {}),
        }

    def _target(self, index: int, query: Query) -> Json:
        target = {"refId": chr(ord("A") + index), "datasource": _DATASOURCE, "expr": query.expr}
        if self.kind is Kind.LINES:
            return {**target, "legendFormat": query.legend or "__auto"}
        shape = "table" if self.kind is Kind.TABLE else "time_series"
        return {**target, "legendFormat": query.legend or "__auto", "instant": True, "range": False, "format": shape}

    def _defaults(self) -> Json:
        steps: list[Json] = [{"color": "green", "value": None}]
        if self.red_above is not None:
            steps.append({"color": "red", "value": self.red_above})
        if self.red_below is not None:
            steps = [{"color": "red", "value": None}, {"color": "green", "value": self.red_below}]
        defaults: Json = {"unit": self.unit.value, "thresholds": {"mode": "absolute", "steps": steps}}
        if self.least is not None:
            defaults["min"] = self.least
        if self.kind is Kind.LINES:
            bounded = self.red_above is not None or self.red_below is not None
            defaults["custom"] = {
                "lineWidth": 1,
                "fillOpacity": 20 if self.stacked else 0,
                "showPoints": "never",
                "stacking": {"mode": "normal" if self.stacked else "none"},
                "thresholdsStyle": {"mode": "dashed" if bounded else "off"},
            }
        return defaults

    def _options(self) -> Json:
        if self.kind is Kind.NUMBER:
            bounded = self.red_above is not None or self.red_below is not None
            calculated = {"calcs": ["lastNotNull"], "fields": "", "values": False}
            return {"reduceOptions": calculated, "colorMode": "value" if bounded else "none", "graphMode": "none"}
        if self.kind is Kind.LINES:
            legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
        return {"showHeader": True, "cellHeight": "sm"}

    def _transformations(self) -> Iterator[Json]:
        """Joins what the queries say of the same labels; keeps those that are shown, and the values."""
        if len(self.queries) > 1:
            yield {"id": "merge", "options": {}}
        values = ["Value"] if len(self.queries) == 1 else [f"Value #{chr(65 + n)}" for n in range(len(self.queries))]
        names = [*self.shown, *values]
        yield {"id": "filterFieldsByName", "options": {"include": {"names": names}}}
        renamed = {value: query.legend for value, query in zip(values, self.queries, strict=True)}
        order = {name: place for place, name in enumerate(names)}
        yield {"id": "organize", "options": {"indexByName": order, "renameByName": renamed}}


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice above the dashboard: the values of a label."""

    name: str
    query: str
    all_values: bool = False

    def as_json(self) -> Json:
        """All values are an expression of their own, so that services that came since are among them."""
        return {
            "name": self.name,
            "type": "query",
            "datasource": _DATASOURCE,
            "query": {"query": self.query, "refId": self.name},
            "definition": self.query,
            "refresh": 2,
            "sort": 1,
            "includeAll": self.all_values,
            "multi": self.all_values,
            **({"allValue": ".+", "current": {"text": "All", "value": "$__all"}} if self.all_values else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One page; `uid` is its address for ever."""

    uid: str
    title: str
    text: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    links: tuple[str, ...] = field(default=("foretide",))  # tags of the dashboards that it leads to

    @property
    def panels(self) -> Sequence[Panel]:
        """All of them."""
        return [panel for row in self.rows for panel in row.panels]

    def as_json(self) -> Json:
        """What Grafana imports."""
        chosen = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.text,
            "tags": ["foretide"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"},
            "timezone": "",
            "links": [
                {"type": "dashboards", "title": tag, "tags": [tag], "asDropdown": True, "keepTime": True}
                for tag in self.links
            ],
            "templating": {"list": [chosen, *(variable.as_json() for variable in self.variables)]},
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[Json]:
        number, y = 0, 0
        for row in self.rows:
            number += 1
            place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
            yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
            y += 1
            x, tallest = 0, 0
            for panel in row.panels:
                height = 4 if panel.kind is Kind.NUMBER else 8
                if x + panel.width > COLUMNS:
                    x, y, tallest = 0, y + tallest, 0
                number += 1
                yield panel.as_json(number, {"h": height, "w": panel.width, "x": x, "y": y})
                x, tallest = x + panel.width, max(tallest, height)
            y += tallest
