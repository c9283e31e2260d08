#!/usr/bin/env bash
# Random faults on a cluster of network namespaces (cluster.sh), for as long as is asked for. A trial is a job of 2 to 4
# ranks over TCP, by mpirun or by `ddp-train launch`: it meets, survives up to two faults, is ended by another, and goes on
# from its last checkpoint. Stops, kills, signals, cuts, narrow and bad links, strangers, full and slow disks, load: the
# kinds are in cluster/lib/faults.sh, what they do in the files beside it. After every fault these must hold:
#
#   no hang               every rank has left within the timeout and a margin
#   no wrong culprit      errors name the rank or link that was harmed; after a signal there is none, and code 75
#   no false alarm        what is shorter than the timeout, or only slow, does not end the job
#   no orphan             no process is left
#   no differing hash     the resumed job holds the bits of one that nothing disturbed
#
# Prints a line for each trial and a table. Linux, as root. Exit code 1 where something did not hold.
#
#   cluster/netns/random_faults.sh [--no-build] [--minutes M] [--seed N] [--only K] [--kind REGEX]
#                                  [--transports tcp,mpi,launch] [--evidence FOLDER] [--table FILE]
#
#   --no-build     the release program that is there (or DDP_TRAIN), not built again
#   --minutes      no trial begins after so many minutes (default: 20)
#   --seed         of the trials (default: 1): trial K of a seed is always the same
#   --only         trial K alone
#   --kind         only faults whose names match; the others are left out
#   --transports   some of the three only
#   --evidence     where the logs of trials that failed are kept (default: a folder that is printed)
#   --table        write the table to this file too
#
# Needs iproute2, nftables, strace, openmpi-bin and, where the kernel has no netem, python3.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/setup.sh"

build=yes minutes=20 seed=1 only_trial="" kind=. transports=(tcp mpi launch) evidence="" table=""
while [ $# -gt 0 ]; do
    case "$1" in
        --no-build) build=no ;;
        --minutes | --seed | --only | --kind | --transports | --evidence | --table)
            [ $# -gt 1 ] || wrong_use "$1 needs a value"
            case "$1" in
                --minutes) minutes="$2" ;;
                --seed) seed="$2" ;;
                --only) only_trial="$2" ;;
                --kind) kind="$2" ;;
                --transports) IFS=, read -ra transports <<< "$2" ;;
                --evidence) evidence="$(user_path "$2")" ;;
                --table) table="$(user_path "$2")" ;;
            esac
            shift
            ;;
        -h | --help)
            print_help "cluster/netns/random_faults.sh"
            exit 0
            ;;
        *) wrong_use "unknown option $1" ;;
    esac
    shift
done
[[ "$minutes$seed${only_trial:-0}" =~ ^[0-9]+$ ]] || wrong_use "--minutes, --seed and --only are whole numbers"
if ! have mpirun || ! have strace; then
    fail "mpirun and strace are needed; Debian and Ubuntu: apt-get install iproute2 nftables openmpi-bin strace"
fi
if [ "$build" = yes ]; then
    require_swift
    build_release
else
    ddp_train="${DDP_TRAIN:-$(swift build -c release --show-bin-path)/ddp-train}"
fi

cluster_folder="$root/cluster/netns"
cluster="$cluster_folder/cluster.sh"
export DDP_NETNS="${DDP_NETNS:-ddpfaults}"
work="$(mktemp -d)"
[ -n "$evidence" ] || evidence="$(mktemp -d)"
clean_up() {
    "$cluster" down
    pkill -KILL -f -- "--out_dir=$work" || true
    umount -l "$work"/jobs/*/out 2> /dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
# shellcheck source=cluster/lib/jobs.sh
source cluster/lib/jobs.sh
# shellcheck source=cluster/lib/checks.sh
source cluster/lib/checks.sh
# shellcheck source=cluster/lib/cases.sh
source cluster/lib/cases.sh
# shellcheck source=cluster/lib/cases_storage.sh
source cluster/lib/cases_storage.sh
# shellcheck source=cluster/lib/cases_network.sh
source cluster/lib/cases_network.sh
# shellcheck source=cluster/lib/faults.sh
source cluster/lib/faults.sh
# shellcheck source=cluster/lib/faults_survived.sh
source cluster/lib/faults_survived.sh
# shellcheck source=cluster/lib/faults_ending.sh
source cluster/lib/faults_ending.sh

# An iteration of some milliseconds, and a checkpoint every 25 of them.
every=25 timeout=4
model=(--dataset=demo --data_dir="$work/data" --n_layer=2 --n_head=2 --n_embd=32 --block_size=32 --batch_size=4
    --gradient_accumulation_steps=24 --eval_interval="$every" --eval_iters=1 --log_interval=1 --always_save_checkpoint
    --threads=1)
limits=(--timeout="$timeout" --meet_timeout=8)
# The longest of them and a margin for a machine that is busy.
bound=25
host_count=5 # one more than ranks, for strangers
"$ddp_train" prepare demo --characters 200000 --data_dir "$work/data" > /dev/null 2>&1
"$cluster" up "$host_count"

# --- a trial ---

# kinds_of WHEN TRANSPORT: "name|function" of each kind that can be.
kinds_of() {
    local line when title over does
    for line in "${kinds[@]}"; do
        IFS='|' read -r when title over does <<< "$line"
        if [[ "$when" = "$1" && " $over " == *" $2 "* && "$title" =~ $kind ]]; then echo "$title|$does"; fi
    done
}

# inject "NAME|FUNCTION WITH ITS ARGUMENTS"
inject() {
    local words
    echo "${1%%|*}" >> "$work/injected"
    read -ra words <<< "${1#*|}"
    "${words[@]}"
}

# trial K: in a subshell, which ends at the first demand that is not met.
trial() {
    local beginnings=() survived=() endings=() count
    random=$((seed * 1000003 + $1))
    callers=() victim=none delayed=no demand="false alarms"
    held="" rank_secret="" rank_variables=() before_rank=() before_launcher=() launch_options=()
    trap 'echo "$demand" > "$work/demand"; undo' EXIT
    draw_of "${transports[@]}"
    local over="$drawn"
    draw_of 2 3 3 4
    local size="$drawn"
    echo "$over, $size ranks" > "$work/said"
    mapfile -t beginnings < <(kinds_of begins "$over")
    mapfile -t survived < <(kinds_of survives "$over")
    mapfile -t endings < <(kinds_of ends "$over")

    new_job "trial-$1"
    mkdir "$job/out"
    mount -t tmpfs -o size=64m tmpfs "$job/out"
    transport="$over" world="$size"
    draw 4
    count="$drawn"
    local ending=""
    [ "${#endings[@]}" = 0 ] || ending="${endings[$1 % ${#endings[@]}]}"
    if [[ "$ending" == *_early ]]; then
        start_job
        inject "$ending"
    else
        if [ "$count" = 0 ] && [ "${#beginnings[@]}" -gt 0 ]; then
            draw_of "${beginnings[@]}"
            inject "$drawn"
        else
            start_job
        fi
        draw 60
        progresses $((drawn + every + 5))
        draw 3
        count="$drawn"
        # Shaping would end the relays of a delay.
        if [ "${#survived[@]}" = 0 ] || [ "$delayed" = yes ]; then count=0; fi
        while [ "$count" -gt 0 ]; do
            draw_of "${survived[@]}"
            inject "$drawn"
            count=$((count - 1))
        done
        inject "${ending:-"signal to one rank|signaled one"}"
    fi
    [ "$delayed" = no ] || "$cluster" shape
    resumes_with_same_bits
}

# Whatever was done to the machine.
undo() {
    end_callers
    if [ -n "$held" ]; then kill -CONT "$held" 2> /dev/null || true; fi
    end_job
    "$cluster" heal
    "$cluster" shape
    [ "$victim" = none ] || "$cluster" plug "$victim"
    umount -l "$job/out" 2> /dev/null || true
}

# --- the bits ---

# The job goes on from its last checkpoint, or starts again where it has none, to an iteration soon after that.
resumes_with_same_bits() {
    local saved=0 how=--overwrite
    demand="differing hashes"
    if [ -e "$job/out/checkpoints/latest" ]; then saved="$(saved_iteration)" how=--init_from=resume; fi
    last=$(((saved / every + 2) * every))
    find "$job" -maxdepth 1 -name '*.log' -exec mv {} {}.before \;
    rm -f "$job"/*.exit "$job"/*.exit.pid
    port=$((port + 1))
    start "$transport" "$world" "${model[@]}" --max_iters="$last" --lr_decay_iters=400 --timeout=30 "$how"
    wait_until "$patience" exits_are_there || demand_failed "the resumed job did not end in $patience s: $(output_of_rank_0 | tail -n 1)"
    all_exit 0
    local got expected
    got="$(bits "$job/out" "$last")"
    undisturbed_reaches "$world" "$last"
    expected="$(bits "$work/undisturbed-$world" "$last")"
    [ "$got" = "$expected" ] || demand_failed "parameters and moments of iteration $last are $got, not $expected as undisturbed"
}

# undisturbed_reaches RANKS ITERATION: the run of so many ranks that trials are compared with has that checkpoint.
undisturbed_reaches() {
    local run="$work/undisturbed-$1" how=()
    [ ! -e "$run/checkpoints/$(printf 'step-%08d' "$2")" ] || return 0
    [ ! -e "$run" ] || how=(--init_from=resume)
    "$ddp_train" launch -n "$1" -- "${model[@]}" --max_iters=$(($2 + 500)) --lr_decay_iters=400 --keep_checkpoints=100000 \
        --out_dir="$run" ${how[@]+"${how[@]}"} > "$run.log" 2>&1 || demand_failed "the undisturbed run failed: $(tail -n 1 "$run.log")"
}

# --- counting ---

demands=("hangs" "wrong culprits" "false alarms" "orphans" "differing hashes")
declare -A injected=() not_met=() met_never=()

# run_trial K: counts what was injected, and what did not hold at the last of that.
run_trial() {
    local status=0 name last_name="" begin
    begin="$(now)"
    trials=$((trials + 1))
    : > "$work/injected"
    : > "$work/said"
    set +e
    (set -e && trial "$1") 2> "$work/why"
    status=$?
    set -e
    while IFS= read -r name; do
        injected[$name]=$((${injected[$name]:-0} + 1))
        last_name="$name"
    done < "$work/injected"
    if [ "$status" -ne 0 ]; then
        demand="$(cat "$work/demand")"
        not_met[$demand]=$((${not_met[$demand]:-0} + 1))
        met_never[$last_name]+="${met_never[$last_name]:+; }$demand in trial $1"
        evidence="$evidence" keep_evidence "seed-$seed-trial-$1"
    fi
    rm -rf "$work/jobs/trial-$1"
    printf 'trial %s, %s: %s in %s s\n' "$1" "$(paste -sd ';' "$work/said" | sed 's/;/; /g')" \
        "$([ "$status" -eq 0 ] && echo passed || echo "FAILED ($demand): $(tail -n 1 "$work/why")")" "$(seconds_since "$begin")"
}

print_faults() {
    local name total=0 summary="" failed=0
    printf '\n| fault | injected | did not hold |\n| --- | --- | --- |\n'
    while IFS= read -r name; do
        printf '| %s | %s | %s |\n' "$name" "${injected[$name]}" "${met_never[$name]:-}"
        total=$((total + ${injected[$name]}))
    done < <(printf '%s\n' "${kinds[@]}" | cut -d '|' -f 2 | while IFS= read -r name; do
        [ -z "${injected[$name]:-}" ] || echo "$name"
    done)
    for name in "${demands[@]}"; do
        summary+=", ${not_met[$name]:-0} $name"
        failed=$((failed + ${not_met[$name]:-0}))
    done
    printf '\nseed %s, %s trials, %s faults: %s\n' "$seed" "$trials" "$total" "${summary#, }"
    [ "$failed" -eq 0 ] || echo "logs of what failed: $evidence; again: $script --seed $seed --only K"
}

for size in 2 3 4; do undisturbed_reaches "$size" 500; done
trials=0
if [ -n "$only_trial" ]; then
    run_trial "$only_trial"
else
    SECONDS=0
    while [ "$SECONDS" -lt $((60 * minutes)) ]; do run_trial $((trials + 1)); done
fi
print_faults | tee ${table:+"$table"}
[ "${#not_met[@]}" -eq 0 ]
