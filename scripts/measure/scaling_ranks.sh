#!/usr/bin/env bash
# How speed grows with ranks on this machine: trains the same batch on 1 to 16 ranks of one thread (strong scaling), and a
# batch that grows with them (weak), and writes scripts/results/ranks.md and ranks.json, with computing, waiting and
# communication apart. Rows with more ranks than cores are marked: they show what it costs, not how it scales.
#
#   scripts/measure/scaling_ranks.sh [--no-install] [--preset baby|char] [--ranks 1,2,4,8,16] [--backend tcp|mpi] [--runs N]
#                            [--output FOLDER]
#
# Five minutes on 2 cores.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

read_arguments "$@"
have python3 || fail "this needs python3 (its standard library is enough)"
require_swift
install_libraries "$install"
build_release
python3 scripts/measure/scaling_ranks.py "$ddp_train" ${arguments[@]+"${arguments[@]}"}
