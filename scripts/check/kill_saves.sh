#!/usr/bin/env bash
# Kills training at random points of saving, again and again, and looks at what is left each time: every checkpoint that
# `latest` and `best` name must verify, and the run must go on from it. Then the disk is full, and then it is not.
#
#   scripts/check/kill_saves.sh [--kills N] [--seed S] [--program PATH] [--no-disk] [--keep]
#
#   --kills     how many (default: 200)
#   --seed      of the moments (default: 1)
#   --program   what is killed (default: the release program that is there)
#   --no-disk   leave out the full disk, which takes root
#   --keep      leave the folder of all this, and say where it is
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

kills=200
seed=1
program=.build/release/ddp-train
keep=false
disk=true
while [ $# -gt 0 ]; do
    case "$1" in
        --kills=* | --seed=* | --program=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
        --kills | --seed)
            [[ "${2:-}" =~ ^[0-9]+$ ]] || wrong_use "$1 needs a number"
            if [ "$1" = --kills ]; then kills="$2"; else seed="$2"; fi
            shift
            ;;
        --program)
            [ $# -gt 1 ] || wrong_use "$1 needs a path"
            program="$(user_path "$2")"
            shift
            ;;
        --no-disk) disk=false ;;
        --keep) keep=true ;;
        -h | --help)
            print_help "scripts/check/kill_saves.sh"
            exit 0
            ;;
        *) wrong_use "unknown option $1" ;;
    esac
    shift
done
[ -x "$program" ] || wrong_use "there is no program $program (swift build -c release makes it)"
program="$(realpath "$program")"
work="$(mktemp -d)"
mounted=false
clean_up() {
    if $mounted; then umount -l "$work/small" 2> /dev/null || true; fi
    if $keep; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap clean_up EXIT
RANDOM=$seed

# Small steps and large files: most of the time something is being written.
options=(--dataset=demo --data_dir="$work/data" --preset=baby --n_layer=1 --n_head=1 --n_embd=256 --block_size=8
    --batch_size=1 --gradient_accumulation_steps=1 --max_iters=1_000_000 --eval_interval=2 --eval_iters=1 --dropout=0
    --log_interval=1_000_000 --warmup_iters=0 --threads=1 --always_save_checkpoint)

fail() {
    echo "kill_saves: FAILED (seed $seed): $*" >&2
    [ ! -f "$work/log" ] || tail -n 5 "$work/log" >&2
    keep=true
    exit 1
}

# What a killed process left behind that is not whole, by its temporary name.
unfinished() { find "$1/checkpoints" -maxdepth 1 -name '.*' 2> /dev/null | grep -q .; }

verify_all() {
    local which
    for which in latest best; do
        [ -e "$1/checkpoints/$which" ] || continue
        "$program" checkpoint verify "$1/checkpoints/$which" > "$work/verify" 2>&1 || fail "$which: $(cat "$work/verify")"
    done
}

echo "seed $seed, $kills kills"
"$program" prepare demo --data_dir="$work/data" > "$work/log" 2>&1 || fail "prepare ended with $?"
"$program" "${options[@]}" --out_dir="$work/out" --max_iters=2 > "$work/log" 2>&1 || fail "the first run ended with $?"
cut=0
started="$(date +%s)"
for ((round = 1; round <= kills; round++)); do
    "$program" "${options[@]}" --out_dir="$work/out" --init_from=resume > "$work/log" 2>&1 &
    pid=$!
    # From the start of the process to many saves later; half of the rounds wait until something is being written, and
    # somewhat longer.
    wait_ms=$((RANDOM % 1500 + 100))
    sleep "$((wait_ms / 1000)).$(printf '%03d' $((wait_ms % 1000)))"
    if [ $((RANDOM % 2)) = 0 ]; then
        for ((look = 0; look < 500; look++)); do ! unfinished "$work/out" || break; sleep 0.002; done
        sleep "0.0$(printf '%02d' $((RANDOM % 30)))"
    fi
    kill -0 "$pid" 2> /dev/null || fail "round $round: the run ended by itself"
    kill -KILL "$pid"
    wait "$pid" 2> /dev/null || true
    if unfinished "$work/out"; then cut=$((cut + 1)); fi
    verify_all "$work/out"
done
iteration="$("$program" checkpoint show "$work/out" --which=latest --json | sed 's/.*"iteration":\([0-9]*\).*/\1/')"
# A few kills on a loaded machine may all come too early.
if [ "$kills" -ge 100 ]; then
    [ "$iteration" -gt "$kills" ] || fail "only iteration $iteration was reached: next to nothing was saved"
    [ "$cut" -gt $((kills / 4)) ] || fail "only $cut of $kills kills cut a save short: the test does not test what it should"
fi
echo "$kills kills, $cut of them within a save: latest and best verified each time, iteration $iteration reached," \
    "$(($(date +%s) - started)) s"

$disk || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "full disk: not tried, it takes root to mount a small one"
    exit 0
fi
mkdir "$work/small"
mount -t tmpfs -o size=30m tmpfs "$work/small" || { echo "full disk: not tried, tmpfs cannot be mounted here" && exit 0; }
mounted=true
"$program" "${options[@]}" --out_dir="$work/small/out" --keep_checkpoints=1000 > "$work/log" 2>&1 &
pid=$!
for ((look = 0; look < 3000; look++)); do ! grep -q "was not saved" "$work/log" || break; sleep 0.01; done
grep -q "was not saved: .*No space left" "$work/log" || fail "a full disk is not said"
verify_all "$work/small/out"
kill -0 "$pid" || fail "a full disk ended the run"
mount -o remount,size=200m "$work/small"
saved="$(grep -c '^saved ' "$work/log" || true)"
for ((look = 0; look < 3000; look++)); do
    [ "$(grep -c '^saved ' "$work/log" || true)" = "$saved" ] || break
    sleep 0.01
done
[ "$(grep -c '^saved ' "$work/log")" -gt "$saved" ] || fail "nothing is saved when there is room again"
kill -KILL "$pid"
wait "$pid" 2> /dev/null || true
verify_all "$work/small/out"
echo "full disk: said, the run went on, what was saved is whole, and it saves again when there is room"
