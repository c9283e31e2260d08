#!/usr/bin/env bash
# Tries the batch scripts on one-node.sh's Slurm, with a tiny model on two ranks: each is submitted, signalled in the
# middle of training, put back into the queue, resumed from its checkpoint, and has to end with the parameters of a job
# that nothing disturbed; another is stopped by the signal before its time limit, another cancelled, which has to save
# and stay cancelled.
#
#   try.sh [--mpi|--tcp] [--time-limit]
#
#   --mpi, --tcp    only this one of the two scripts
#   --time-limit    the time limit too: two minutes more for each script
#
# It starts and ends Slurm itself. DDP_TRAIN is the program (default: the release build of this repository).
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../scripts/lib/setup.sh"
here="$root/cluster/slurm/one-node"

scripts=(mpi tcp) time_limit=no
while [ $# -gt 0 ]; do
    case "$1" in
        --mpi) scripts=(mpi) ;;
        --tcp) scripts=(tcp) ;;
        --time-limit) time_limit=yes ;;
        -h | --help)
            print_help "$script"
            exit 0
            ;;
        *) wrong_use "unknown option $1" ;;
    esac
    shift
done
DDP_TRAIN="${DDP_TRAIN:-$(swift build -c release --show-bin-path)/ddp-train}"
DDP_TRAIN="$(user_path "$DDP_TRAIN")"
SLURM_CONF="$("$here/one-node.sh" conf)"
export DDP_TRAIN SLURM_CONF
# It trains as root here, where Open MPI asks whether that is meant.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

work="$(mktemp -d)"
trap '"$here/one-node.sh" down; rm -rf "$work"' EXIT
"$here/one-node.sh" up
cd "$work"
"$DDP_TRAIN" prepare demo --characters 200000 --data_dir "$work/data" > /dev/null 2>&1

fail() {
    printf 'error: %s\n' "$*" >&2
    tail -n 15 "$work"/*.log >&2
    exit 1
}
options=(--dataset=demo --data_dir="$work/data" --n_layer=2 --n_head=2 --n_embd=32 --block_size=32 --batch_size=4
    --gradient_accumulation_steps=4 --eval_interval=100 --eval_iters=2 --log_interval=10 --threads=1 --lr_decay_iters=100000)

# submit SCRIPT NAME ITERATIONS [SBATCH-OPTIONS…]: its number in $id.
submit() {
    local script="$1" name="$2" iterations="$3"
    id="$(sbatch --parsable --ntasks=2 --output="$name.log" "${@:4}" "$here/../train-$script.sbatch" \
        "${options[@]}" --out_dir="$work/$name" --max_iters="$iterations")"
}
# within SECONDS COMMAND…
within() {
    local tries=$(($1 * 5))
    shift
    for _ in $(seq "$tries"); do
        ! "$@" || return 0
        sleep 0.2
    done
    return 1
}
reached() { grep -qE "iter $2[0-9]+:" "$1.log" 2> /dev/null; }
over() { [ -z "$(squeue -h -j "$id" 2> /dev/null)" ]; }
says() { grep -qE "$2" "$1.log" 2> /dev/null; }
parameters() { grep -oE 'parameters [0-9a-f]+' "$1.log" | tail -n 1; }

for script in "${scripts[@]}"; do
    submit "$script" "$script-undisturbed" 5000
    within 120 over || fail "$script: an undisturbed job does not end"
    expected="$(parameters "$script-undisturbed")"
    [ -n "$expected" ] || fail "$script: an undisturbed job ended without parameters"

    # To all ranks, as --signal=USR1@120 does, and to the batch script alone, as --signal=B:USR1@120.
    for target in "" --batch; do
        name="$script-signalled$target"
        submit "$script" "$name" 5000
        within 30 reached "$name" 1 || fail "$script: training does not begin"
        scancel ${target:+"$target"} --signal=USR1 "$id"
        within 60 says "$name" "start 2:" || fail "$script: not back in the queue after SIGUSR1 $target"
        within 120 over || fail "$script: a resumed job does not end"
        [ "$(parameters "$name")" = "$expected" ] || fail "$script: resumed to $(parameters "$name"), not $expected"
        printf '%s: SIGUSR1%s, requeued, resumed: %s as undisturbed\n' "$script" "${target:+ to the batch script}" "$expected"
    done

    submit "$script" "$script-cancelled" 100000000
    within 30 reached "$script-cancelled" 1 || fail "$script: training does not begin"
    scancel "$id"
    within 60 over || fail "$script: a cancelled job does not end"
    says "$script-cancelled" "stopped at iteration" || fail "$script: a cancelled job did not save"
    ! says "$script-cancelled" "start 2:" || fail "$script: a cancelled job came back"
    printf '%s: scancel: %s\n' "$script" "$(grep -oE 'stopped at iteration [0-9]+' "$script-cancelled.log" | tail -n 1)"

    if [ "$time_limit" = yes ]; then
        # Slurm looks once in half a minute, and may send the signal up to a minute early.
        submit "$script" "$script-limited" 100000000 --time=2 --signal=USR1@60
        within 180 says "$script-limited" "start 2:" || fail "$script: not back in the queue at its time limit"
        scancel "$id"
        within 60 over || fail "$script: a cancelled job does not end"
        printf '%s: before the time limit: %s, and back in the queue\n' "$script" \
            "$(grep -oE 'stopped at iteration [0-9]+' "$script-limited.log" | head -n 1)"
    fi
    [ -z "$(find "$work" -maxdepth 1 -name '.ddp-train-secret-*')" ] || fail "$script: a secret was left behind"
    ! pgrep -f -- "--out_dir=$work" > /dev/null || fail "$script: processes were left behind"
done
