"""The demo's steps against a small stand-in for the cluster: what is applied, waited for and shown."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
import yaml
from rich.console import Console

from e2e.demo import ending, example, install, ready, volume
from e2e.demo.__main__ import parse
from e2e.demo.live import Screen, row
from e2e.demo.run import sensible_peak_rps
from e2e.demo.story import Story
from e2e.demo.target import CommandFailed, Object
from e2e.demo.watch import Look, look
from e2e.load import Outcome, Plan, Target
from e2e.load.result import Row, collect
