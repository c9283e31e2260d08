#!/usr/bin/env bash
# Damages files of every format that is read, and reads them: nothing may crash, hang, or take memory beyond what such
# files can need. The same test runs in CI with few rounds; here with many, with a limit of memory and of time.
#
#   scripts/check/fuzz.sh [--rounds N] [--seed S] [--minutes M]
#
#   --rounds    damaged files of each format (default: 20000)
#   --seed      of the damage (default: the time; it is printed)
#   --minutes   after which it is a failure (default: 60)
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

rounds=20000
seed="$(date +%s)"
minutes=60
while [ $# -gt 0 ]; do
    case "$1" in
        --rounds=* | --seed=* | --minutes=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
        --rounds | --seed | --minutes)
            [[ "${2:-}" =~ ^[0-9]+$ ]] || wrong_use "$1 needs a number"
            case "$1" in
                --rounds) rounds="$2" ;;
                --seed) seed="$2" ;;
                --minutes) minutes="$2" ;;
            esac
            shift
            ;;
        -h | --help)
            print_help "scripts/check/fuzz.sh"
            exit 0
            ;;
        *) wrong_use "unknown option $1" ;;
    esac
    shift
done
require_swift
swift build --build-tests
note "seed $seed, $rounds rounds a format"
# In kilobytes: the tests' process with its libraries takes about 1 GB of addresses, the files at most some 30 kB.
ulimit -v 3000000
FUZZ_ROUNDS="$rounds" FUZZ_SEED="$seed" timeout $((60 * minutes)) swift test --skip-build --filter FuzzTests ||
    fail "damaged files did harm; repeat with scripts/check/fuzz.sh --seed $seed --rounds $rounds"
