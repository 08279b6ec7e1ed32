"""The chart's Grafana dashboards: `grafana` builds the JSON, `fleet`, `service` and `operator` say what is shown."""
