#!/usr/bin/env bash
# Formats every Swift file as .swift-format says.
#
#   scripts/format.sh [--check]
#
#   --check   changes nothing; fails and names each place that is not formatted
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

[ $# -le 1 ] || wrong_use "unexpected argument $2"
case "${1:-}" in
    "")
        require_swift
        swift format --in-place --parallel --recursive Package.swift Sources Tests
        ;;
    --check)
        require_swift
        swift format lint --strict --parallel --recursive Package.swift Sources Tests
        ;;
    -h | --help) print_help "scripts/format.sh" ;;
    *) wrong_use "unknown option $1" ;;
esac
