"""Promises that take tens of minutes to measure: `make proof`. They run on the operator as the chart installs it."""
