#!/usr/bin/env bash
# Starts a worker in a process of its own for Prism, with --environment_type=PROCESS. Prism gives an id, in
# quotes, and one address for all that a worker asks for; PROGRAM is the built program. Other
# runners start Beam's boot program here.
set -euo pipefail
for arg in "$@"; do
  case $arg in
    --id=*) id=${arg#--id=} ;;
    --provision_endpoint=*) at=${arg#--provision_endpoint=} ;;
  esac
done
exec "$PROGRAM" --worker=true --id="${id//\'/}" --control_endpoint="$at" --logging_endpoint="$at" >&2 # standard output is for the summary
