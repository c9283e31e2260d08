#!/usr/bin/env bash
# Damages files of every format that is read, and reads them: nothing may crash, hang, or take memory beyond what such
# files can need. The same test runs in CI with few rounds; here with many, with a limit of memory and of time.
#
# usage: scripts/fuzz.sh [--rounds N] [--seed S] [--minutes M]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=20000
seed="$(date +%s)"
minutes=60
while [ $# -gt 0 ]; do
    case "$1" in
        --rounds) rounds="$2" && shift 2 ;;
        --seed) seed="$2" && shift 2 ;;
        --minutes) minutes="$2" && shift 2 ;;
        -h | --help) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 0 ;;
        *) echo "fuzz: unknown argument $1" >&2 && exit 64 ;;
    esac
done
swift build --build-tests
echo "fuzz: seed $seed, $rounds rounds a format"
# In kilobytes: the tests' process with its libraries takes about 1 GB of addresses, the files at most some 30 kB.
ulimit -v 3000000
FUZZ_ROUNDS="$rounds" FUZZ_SEED="$seed" timeout $((60 * minutes)) swift test --skip-build --filter FuzzTests ||
    { echo "fuzz: FAILED: repeat with scripts/fuzz.sh --seed $seed --rounds $rounds" >&2 && exit 1; }
