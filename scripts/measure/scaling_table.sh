#!/usr/bin/env bash
# How cost grows: runs `ddp-train bench` and `ddp-train plan` over block size, width, depth, batch, vocabulary and threads, and
# writes scripts/results/scaling.md and scaling.json. Time stays in step with counted operations where GFLOP/s stay level;
# memory with the plan where planned/measured stays near 1.
#
#   scripts/measure/scaling_table.sh [--no-install] [--quick] [--only SWEEP[,SWEEP…]] [--output FOLDER]
#
# SWEEP is block_size, n_embd, n_layer, batch_size, vocab_size or threads. All of it takes less than 10 minutes on 2 cores.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

read_arguments "$@"
have python3 || fail "this needs python3 (its standard library is enough)"
require_swift
install_libraries "$install"
build_release
python3 scripts/measure/scaling_table.py "$ddp_train" ${arguments[@]+"${arguments[@]}"}
