"""`python -m foretide`: runs the operator."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from typing import Final

import uvloop
from pythonjsonlogger.json import JsonFormatter

from foretide.adapters.errors import AdapterError
from foretide.app.run import LeaseLost, run
from foretide.app.settings import PREFIX, Settings, SettingsError, load

# New objects, less those that went, until Python looks for cycles among the youngest. Answers of Prometheus are 100,000
# and more in each tick, that live for a moment. With the usual 700 nearly every tick had a look at all that is known of
# all services, too: 0.2 s with 1,000 of them, a fifth of the operator's processor time.
YOUNGEST_OBJECTS: Final = 50_000


def main() -> int:
    """Starts the operator; the exit code is 0 after SIGTERM and not 0 when it must be restarted."""
    parser = argparse.ArgumentParser(
        prog="python -m foretide",
        description="The Foretide operator. It runs in the cluster (install it with the Helm chart charts/foretide) "
        "or, for development, outside of it with the current kubeconfig context.",
        epilog="Settings are environment variables:\n" + _settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    try:
        settings = load()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before logging is configured
        return 2
    configure_logging(settings)
    gc.set_threshold(YOUNGEST_OBJECTS)
    try:
        uvloop.run(run(settings))
    except (LeaseLost, AdapterError) as error:
        logging.getLogger("foretide").error("%s; exiting to be restarted", error)
        return 1
    return 0


def _settings_help() -> str:
    return "\n".join(
        f"  {PREFIX}{name.upper()} (default {field.default!r})" for name, field in Settings.model_fields.items()
    )


def configure_logging(settings: Settings) -> None:
    """Handlers, formats and levels for this process."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.log_format == "json":
        handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(name)s: %(message)s"))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    # kopf logs each event at DEBUG and its own life cycle at INFO; httpx each request at INFO, and while Prometheus is
    # away there are 768 a tick.
    for chatty in ("kopf", "httpx"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))


if __name__ == "__main__":
    sys.exit(main())
