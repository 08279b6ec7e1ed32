#!/usr/bin/env bash
# Creates a virtual environment with the locked dependencies and this package. Usage: setup-python.sh PYTHON VENV
set -euo pipefail
python=$1 venv=$2
cd "$(dirname "$0")/.."

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "set-up: Python 3.11 or newer is needed, \`$python\` is $("$python" --version 2>&1 || echo missing); set PYTHON=" >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv
  else
    echo "set-up: \`$python\` has no ensurepip; install it (Debian: apt-get install python3-venv)" >&2
    exit 1
  fi
fi

started=$SECONDS
step() { printf '%-60s' "set-up: $1 ..."; }
done_() { printf ' %3d s\n' $((SECONDS - started)); }
step "virtual environment $venv"
"$python" -m venv "$venv"
done_
step "locked dependencies (requirements/dev.txt)"
# Modules are compiled when they are first imported: all of them now would take 30 s more, of 70 s.
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/dev.txt
done_
step "foretide, editable"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
done_
