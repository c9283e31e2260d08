#!/usr/bin/env bash
# Trains, is killed, goes on, and lets TensorBoard's own reader read the events: every scalar must be that of metrics.jsonl, once,
# and samples and configuration must be there. Exit code 1 where anything differs.
#
#   scripts/check/event_files.sh [--no-install]
#
# Python is the one on the PATH if it has TensorBoard, else one in a virtual environment in the cache folder (DDP_TRAIN_CACHE),
# where it is then installed.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

read_arguments "$@"

require_swift
install_libraries "$install"
require_python "$install" tensorboard tensorboard==2.21.0
build_release
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
options=(--dataset=demo --data_dir="$work/data" --out_dir="$work/out" --preset=baby --n_layer=1 --n_embd=32 --max_iters=200
    --eval_interval=50 --eval_iters=2 --log_interval=5)
"$ddp_train" prepare demo --data_dir="$work/data" > "$work/log" 2>&1
"$ddp_train" "${options[@]}" --max_iters=1_000_000 > "$work/log" 2>&1 &
pid=$!
# Until it has logged steps after a checkpoint, which the run that goes on makes again.
for ((look = 0; look < 6000; look++)); do
    ! grep -A 3 -E '^saved .*step-' "$work/log" | grep -q '^iter' || break
    sleep 0.01
done
kill -KILL "$pid"
wait "$pid" 2> /dev/null || true
latest="$(basename "$(readlink "$work/out/checkpoints/latest")")"
iterations=$((10#${latest#step-} + 150))
note "killed after the checkpoint of $latest, going on until $iterations"
"$ddp_train" "${options[@]}" --init_from=resume --max_iters="$iterations" > "$work/log" 2>&1
"$python" scripts/check/event_files.py "$work/out"
