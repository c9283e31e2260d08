#!/usr/bin/env bash
# Measures how long training takes to start: from launch to the moment at which the first step could begin (model made, peak
# measured, header printed), and to the end of the first step with the evaluation before it. Small data are made for it.
#
#   scripts/measure/startup.sh [--runs N] [PRESET…]      (default: 5 runs of baby and of gpt2)
#
# Each line: preset, then minimum and median of the runs in seconds. Goals: ready in 0.3 s for baby, in 2 s for gpt2.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

runs=5
presets=()
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help)
            print_help "scripts/measure/startup.sh"
            exit 0
            ;;
        --runs)
            [ $# -gt 1 ] || wrong_use "--runs needs a number"
            runs="$2"
            shift
            ;;
        -*) wrong_use "unknown option $1" ;;
        *) presets+=("$1") ;;
    esac
    shift
done
[ "${#presets[@]}" -gt 0 ] || presets=(baby gpt2)
[ -n "${EPOCHREALTIME:-}" ] || fail "this needs bash 5 or later, for its clock"
require_swift
build_release

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# Characters for the character presets; for the others GPT-2 tokens as nanoGPT writes them, though all of them are number 0.
"$ddp_train" prepare --input README.md --name characters --data_dir "$work" > /dev/null 2>&1
mkdir "$work/tokens"
head -c 200000 /dev/zero > "$work/tokens/train.bin"
head -c 100000 /dev/zero > "$work/tokens/val.bin"

microseconds() { echo "${EPOCHREALTIME/[.,]/}"; }
# Minimum and median of microseconds, one a line, as seconds.
summary() { sort -n | awk '{ t[NR] = $1 / 1e6 } END { printf "%.3f %.3f", t[1], t[int((NR + 1) / 2)] }'; }

echo "preset     ready: min median    first step done: min median"
for preset in "${presets[@]}"; do
    dataset=tokens
    case "$preset" in baby | char | tiny | small | medium) dataset=characters ;; esac
    : > "$work/ready"
    : > "$work/done"
    for _ in $(seq "$runs"); do
        start="$(microseconds)"
        while read -r line; do
            case "$line" in
                expected:*) echo $(($(microseconds) - start)) >> "$work/ready" ;;
                "iter 0:"*) echo $(($(microseconds) - start)) >> "$work/done" ;;
            esac
        done < <("$ddp_train" --preset="$preset" --data_dir="$work" --dataset="$dataset" --out_dir="$work/out" --overwrite \
            --batch_size=1 --gradient_accumulation_steps=1 --max_iters=1 --eval_interval=1000 --eval_iters=1 \
            --log_interval=1 2>&1)
        [ -s "$work/done" ] || fail "--preset=$preset made no step"
    done
    printf '%-10s %s %-8s %s\n' "$preset" "$(summary < "$work/ready")" "" "$(summary < "$work/done")"
done
