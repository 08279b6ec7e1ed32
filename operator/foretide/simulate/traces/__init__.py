"""Request-rate traces: CSV files of counts per step, read, checked, selected, scaled and cut."""

from foretide.simulate.traces.problems import TraceError, TraceProblem
from foretide.simulate.traces.reading import read_trace, read_traces
from foretide.simulate.traces.trace import Trace

__all__ = ["Trace", "TraceError", "TraceProblem", "read_trace", "read_traces"]
