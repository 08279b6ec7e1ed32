"""How often properties are tried: enough to find faults on a laptop, the same examples each time in CI."""

import os

from hypothesis import settings

# Time per example says nothing on a busy machine; each test has its own deadline (pytest-timeout).
settings.register_profile("local", deadline=None, max_examples=30)
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
