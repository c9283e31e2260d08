#!/usr/bin/env bash
# Trains with several ranks on this machine, as on as many machines: builds the program and launches it N times.
#
#   scripts/launch_local.sh [--no-install] N [ARGUMENTS]
#
#   --no-install   install nothing; say what is missing
#   N              how many ranks, 1 to 1024
#   ARGUMENTS      of the launcher (--max_restarts=3), then of the ranks: options of training, or another command
#
#   scripts/launch_local.sh 4 --dataset=shakespeare_char --max_iters=500
#   scripts/launch_local.sh 2 doctor
#
# Paths are from where you are. Short for: ddp-train launch -n N ARGUMENTS (more: ddp-train launch --help).
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

install=yes
case "${1:-}" in
    -h | --help)
        print_help "scripts/launch_local.sh"
        exit 0
        ;;
    --no-install)
        install=no
        shift
        ;;
esac
[ $# -gt 0 ] || wrong_use "the number of ranks is missing"
case "$1" in
    '' | *[!0-9]*) wrong_use "$1 is no number of ranks" ;;
esac

require_swift
install_libraries "$install"
build_release
cd "$started_in"
exec "$ddp_train" launch -n "$@"
