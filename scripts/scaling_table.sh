#!/usr/bin/env bash
# How cost grows: runs `ddp-train bench` and `ddp-train plan` over block size, width, depth, batch, vocabulary and threads, and
# writes scripts/results/scaling.md and scaling.json. Time stays in step with counted operations where GFLOP/s stay level;
# memory with the plan where planned/measured stays near 1.
#
#   scripts/scaling_table.sh [--quick] [--only SWEEP…] [--out FOLDER]
#
# SWEEP is block_size, n_embd, n_layer, batch_size, vocab_size or threads. All of it takes less than 10 minutes on 2 cores.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

arguments=()
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help)
            print_help "scripts/scaling_table.sh"
            exit 0
            ;;
        --out=*) arguments+=(--out "$(user_path "${1#--out=}")") ;;
        --out)
            [ $# -gt 1 ] || fail "--out needs a folder"
            arguments+=(--out "$(user_path "$2")")
            shift
            ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
have python3 || fail "this needs python3 (its standard library is enough)"
require_swift
build_release
python3 scripts/scaling_table.py "$ddp_train" ${arguments[@]+"${arguments[@]}"}
