#!/usr/bin/env bash
# Makes a short run on the demo corpus, looks into it, makes a few small experiments, and loads the pages of all of them in
# Chromium without a window: no error, nothing asked of the network, nothing that scrolls sideways on a phone, light and dark;
# charts, sliders and keys are used, and numbers compared with the JSON. Exit code 1 where anything fails.
#
#   scripts/check/pages.sh [--no-install] [--output DIR]
#
#   --output DIR   where screenshots go; a temporary folder unless given
#
# Chromium is installed with apt or brew where there is neither it nor Chrome; --no-install only says so.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

read_arguments "$@"
shots="${arguments[1]:-}" # the only option is --output

require_swift
install_libraries "$install"
require_browser "$install"
build_release
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
[ -n "$shots" ] || shots="$(mktemp -d)"
options=(--dataset=demo --data_dir="$work/data" --preset=baby --n_layer=2 --n_embd=32 --max_iters=200 --lr_decay_iters=200
    --eval_interval=50 --eval_iters=2 --log_interval=5)

# run ARGUMENTS…: the program, whose output is shown only if it fails.
run() {
    "$ddp_train" "$@" > "$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "ddp-train $1 did not end well: its pages cannot be looked at"
    }
}

run prepare demo --data_dir="$work/data"
run "${options[@]}" --out_dir="$work/out" --always_save_checkpoint --keep_checkpoints=3
run "${options[@]}" --out_dir="$work/other" --learning_rate=3e-3 --min_lr=3e-4
run report "$work/out" "$work/other" --out "$work/several.html"
run inspect --out_dir="$work/out" --tokens=24
run experiment mask residual heads --seeds=2 --max_iters=30 --n_layer=2 --n_embd=32 --eval_iters=2 --data_dir="$work/data" \
    --out_dir="$work/experiments"
python3 scripts/check/pages.py "$work" "$shots" "$ddp_train"
