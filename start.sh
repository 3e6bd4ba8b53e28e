#!/bin/sh
# Everything that `make run` does; `./start.sh dev` reloads on every change.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null 2>&1; then
    echo "Pix needs Python 3.11 or newer. On Debian or Ubuntu: sudo apt-get install -y git make python3-venv" >&2
    exit 1
fi
case "${1:-run}" in
    dev) "$python" -I pixproject/bootstrap.py --dev ;;
    *) "$python" -I pixproject/bootstrap.py ;;
esac
exec .venv/bin/python -m pixproject.runner "${1:-run}"
