#!/usr/bin/env bash
# Makes a short run on the demo corpus and loads its pages in Chromium without a window: no error, nothing asked of the network,
# nothing that scrolls sideways on a phone, light and dark; charts, sliders and keys are used. Exit code 1 where anything fails.
#
#   scripts/check_pages.sh [--no-install] [--output DIR]
#
#   --output DIR   where screenshots go; a temporary folder unless given
#
# Chromium is installed with apt or brew where there is neither it nor Chrome; --no-install only says so.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

read_arguments "$@"
shots=""
set -- ${arguments[@]+"${arguments[@]}"}
while [ $# -gt 0 ]; do
    case "$1" in
        --output)
            shots="$2"
            shift 2
            ;;
        *) fail "unknown option $1; see scripts/check_pages.sh --help" ;;
    esac
done

require_swift
install_libraries "$install"
require_browser "$install"
build_release
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
[ -n "$shots" ] || shots="$(mktemp -d)"
options=(--dataset=demo --data_dir="$work/data" --preset=baby --n_layer=1 --n_embd=32 --max_iters=200 --lr_decay_iters=200
    --eval_interval=50 --eval_iters=2 --log_interval=5)
{
    "$ddp_train" prepare demo --data_dir="$work/data"
    "$ddp_train" "${options[@]}" --out_dir="$work/out"
    "$ddp_train" "${options[@]}" --out_dir="$work/other" --learning_rate=3e-3 --min_lr=3e-4
    "$ddp_train" report "$work/out" "$work/other" --out "$work/several.html"
} > "$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "the runs whose pages are to be looked at did not end well"
}
python3 scripts/check_pages.py "$work" "$shots" "$ddp_train"
