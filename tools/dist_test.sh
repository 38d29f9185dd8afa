#!/usr/bin/env bash
# Test with torch's launcher, GPUS processes on this machine; on several machines run
# it on each. Usage:
#   [NNODES=n NODE_RANK=r MASTER_ADDR=a PORT=p PYTHON=python] \
#       tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]
set -euo pipefail

if (($# < 3)) || ! [[ $3 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [options of test.py]" >&2
    exit 2
fi
CONFIG=$1
CHECKPOINT=$2
GPUS=$3

exec "${PYTHON:-python}" "$(dirname "$0")/_launch.py" \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$GPUS" \
    "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
