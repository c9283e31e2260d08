#!/usr/bin/env bash
# Formats every Swift file as .swift-format says.
#
#   scripts/format.sh [--check]
#
#   --check   changes nothing; fails and names each place that is not formatted
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

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
    *) fail "unknown option $1; see scripts/format.sh --help" ;;
esac
