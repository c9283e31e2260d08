#!/usr/bin/env bash
# Runs every test.
#
#   scripts/test.sh [--no-install] [ARGUMENTS]
#
#   --no-install   install nothing; say what is missing
#   ARGUMENTS      passed on to `swift test`, such as --filter ReferenceGPTTests
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

install=yes
case "${1:-}" in
    --no-install)
        install=no
        shift
        ;;
    -h | --help)
        print_help "scripts/test.sh"
        exit 0
        ;;
esac

require_swift
install_libraries "$install"
note "building and running the tests (the first time takes some minutes)"
swift test "$@"
