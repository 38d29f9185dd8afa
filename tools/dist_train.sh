#!/usr/bin/env bash
# Train with torch's launcher, GPUS processes on this machine; on several machines run
# it on each. Usage:
#   [NNODES=n NODE_RANK=r MASTER_ADDR=a PORT=p PYTHON=python] \
#       tools/dist_train.sh CONFIG GPUS [options of train.py]
set -euo pipefail

if (($# < 2)) || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 CONFIG GPUS [options of train.py]" >&2
    exit 2
fi
CONFIG=$1
GPUS=$2

exec "${PYTHON:-python}" "$(dirname "$0")/_launch.py" \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$GPUS" \
    "$(dirname "$0")/train.py" "$CONFIG" --launcher pytorch "${@:3}"
