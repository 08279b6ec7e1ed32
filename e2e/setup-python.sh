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
step "uv, the installer"
pip=("$venv/bin/pip" --disable-pip-version-check)
"${pip[@]}" install --quiet --require-hashes -r <(sed -n '/^uv==/,/[^\\]$/p' requirements/dev.txt)
done_
step "locked dependencies (requirements/dev.txt)"
# uv knows nothing of pip's configuration: an index, links and a certificate that were set for pip hold for it as well.
index=${PIP_INDEX_URL:-$("${pip[@]}" config get global.index-url 2>/dev/null || true)}
certificate=${PIP_CERT:-$("${pip[@]}" config get global.cert 2>/dev/null || true)}
links=${PIP_FIND_LINKS:-$("${pip[@]}" config get global.find-links 2>/dev/null || true)}
[ -z "$index" ] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}
[ -z "$links" ] || export UV_FIND_LINKS=${UV_FIND_LINKS:-$links}
[ -z "$certificate" ] || export SSL_CERT_FILE=${SSL_CERT_FILE:-$certificate}
export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-120}
uv() { VIRTUAL_ENV=$PWD/$venv "$venv/bin/uv" pip install --quiet "$@"; }
uv --require-hashes -r requirements/dev.txt
done_
step "foretide, editable"
uv --no-deps --no-build-isolation -e .
done_
