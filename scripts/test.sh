#!/usr/bin/env bash
# Runs the tests.
#
#   scripts/test.sh [--no-install] [--quick] [ARGUMENTS]
#
#   --no-install   install nothing; say what is missing
#   --quick        skip the tests that run the program, whole experiments and damaged files: about a minute once built
#   ARGUMENTS      passed on to `swift test`, such as --filter ReferenceGPTTests
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

install=yes selection=()
while [ $# -gt 0 ]; do
    case "$1" in
        --no-install) install=no ;;
        # The rules on sources are quick, though they belong to the target that runs the program.
        --quick) selection=(--skip '^(InsightTests|InterchangeTests\.FuzzTests|EndToEndTests\.(?!SourceTests|ArrowsTests))') ;;
        -h | --help)
            print_help "scripts/test.sh"
            exit 0
            ;;
        *) break ;;
    esac
    shift
done

require_swift
install_libraries "$install"
note "building and running the tests (the first time takes some minutes)"
swift test ${selection[@]+"${selection[@]}"} "$@"
