#!/usr/bin/env bash
# Builds the tests with AddressSanitizer and with ThreadSanitizer, and runs them. Fails where a test fails, or where any process
# that a test started reports an error of memory or a data race; the reports are printed. Each build has a folder of its own
# (.build-address, .build-thread) and takes about five minutes the first time on two cores, each run about as long.
#
#   scripts/check/sanitizers.sh [--no-install] [--filter REGEX] [address] [thread]
#
#   --no-install      install nothing; say what is missing
#   --filter REGEX    only these tests, as `swift test --filter` takes them
#   address, thread   only this sanitizer
#
# Numeric targets are optimized in these builds too, C and Swift, and instrumented all the same; the script checks that. Leaks are
# not looked for: what a failed collective of MPI may still write is never freed, on purpose.
#
# EndToEndTests are left out unless --filter names them: they start the whole program some hundred times, wait two minutes for each
# at most, and take more than eight minutes in all. What the program consists of has tests of its own here.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

install=yes filter="" kinds=()
while [ $# -gt 0 ]; do
    case "$1" in
        --no-install) install=no ;;
        --filter)
            [ $# -gt 1 ] || wrong_use "--filter needs a value"
            filter="$2"
            shift
            ;;
        --filter=*) filter="${1#*=}" ;;
        address | thread) kinds+=("$1") ;;
        -h | --help)
            print_help "$script"
            exit 0
            ;;
        *) wrong_use "unknown option $1" ;;
    esac
    shift
done
[ "${#kinds[@]}" -gt 0 ] || kinds=(address thread)
tests=(--skip EndToEndTests)
[ -z "$filter" ] || tests=(--filter "$filter")

require_swift
install_libraries "$install"
reports="$(mktemp -d)"
trap 'rm -rf "$reports"' EXIT

# Every target of ours with code must call the sanitizer's runtime.
check_instrumented() {
    local prefix="$1" folder target
    for folder in Sources/*/; do
        target="$(basename "$folder")"
        [ -n "$(find "$folder" \( -name '*.swift' -o -name '*.c' \) -print -quit)" ] || continue
        [ "$target" != BuildCommit ] || continue # a plugin runs in the build, not in the program
        nm "$2/${target//-/_}.build"/*.o 2> /dev/null | grep "$prefix" > /dev/null ||
            nm "$2/$target.build"/*.o 2> /dev/null | grep "$prefix" > /dev/null ||
            fail "$target is not instrumented: its objects in $2 do not mention $prefix"
    done
}

# check address|thread: builds and runs the tests.
check() {
    local kind="$1" scratch=".build-$1" status=0 prefix="__asan_" report
    local options=(--scratch-path "$scratch" --sanitize "$kind")
    [ "$kind" = address ] || prefix="__tsan_"
    note "building the tests with the $kind sanitizer"
    swift build --build-tests "${options[@]}"
    check_instrumented "$prefix" "$(swift build "${options[@]}" --show-bin-path)"
    note "running the tests with the $kind sanitizer"
    mkdir "$reports/$kind"
    # Each process writes its reports to a file of its own, also where a test takes its standard error.
    ASAN_OPTIONS="log_path=$reports/$kind/report:detect_leaks=0" \
        TSAN_OPTIONS="log_path=$reports/$kind/report:halt_on_error=0" \
        swift test --skip-build "${options[@]}" "${tests[@]}" || status=$?
    for report in "$reports/$kind"/*; do
        [ -e "$report" ] || continue
        echo "##### $report"
        cat "$report"
        status=1
    done
    [ "$status" -eq 0 ] || failed+=("$kind")
}

failed=()
for kind in "${kinds[@]}"; do check "$kind"; done
[ "${#failed[@]}" -eq 0 ] || fail "not clean with: ${failed[*]}"
note "clean with: ${kinds[*]}"
