# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# The faults that cluster/netns/random_faults.sh injects, and what must hold after each. A kind is a line of `kinds`:
#
#   WHEN | NAME | TRANSPORTS | FUNCTION WITH ITS ARGUMENTS
#
# A fault that "begins" is there while ranks meet, one that a job "survives" does not end it, and one that "ends" does.
# Source it after checks.sh and cases_network.sh.

kinds=(
    "begins|ranks that come late|tcp|late_ranks nobody"
    "begins|strangers while ranks meet|tcp|late_ranks strangers_call"
    "begins|another job's rank while ranks meet|tcp|late_ranks other_job_calls"
    "begins|delay of all packets|tcp mpi|delayed_links"
    "survives|SIGSTOP of a rank, shorter than the timeout|tcp mpi launch|short_stop"
    "survives|SIGSTOP of all ranks, longer than the timeout|tcp mpi launch|stop_of_all"
    "survives|SIGSTOP of the launcher, longer than the timeout|mpi launch|stop_of_launcher"
    "survives|a rank that stutters|tcp mpi launch|stutter"
    "survives|load on all processors|tcp mpi launch|load"
    "survives|cut, shorter than the timeout|tcp mpi|short_cut"
    "survives|cut one way, shorter than the timeout|tcp mpi|short_cut --one-way"
    "survives|link down and up|tcp mpi|short_unplug"
    "survives|narrow link|tcp mpi|narrow_link"
    "survives|packets lost|tcp mpi|lossy_link"
    "survives|strangers while training|tcp mpi|strangers_in_training"
    "survives|another job on the port|tcp|other_job_in_training"
    "survives|disk full|tcp mpi launch|disk_full"
    "survives|slow storage|tcp mpi launch|slow_storage"
    "ends|kill -9 of a rank|tcp mpi launch|killed_rank"
    "ends|kill -9 of a rank while ranks meet|tcp mpi launch|killed_early"
    "ends|kill -9 of rank 0 while it saves|tcp mpi launch|killed_saving"
    "ends|kill -9 of the launcher|mpi launch|killed_launcher"
    "ends|kill -9 of everything|tcp mpi launch|killed_all"
    "ends|SIGSTOP of a rank, longer than the timeout|tcp mpi launch|long_stop"
    "ends|cut, longer than the timeout|tcp mpi|long_cut"
    "ends|cut one way, longer than the timeout|tcp mpi|long_cut --one-way"
    "ends|link down, longer than the timeout|tcp mpi|long_unplug"
    "ends|signal to one rank|tcp mpi launch|signaled one"
    "ends|signal to all ranks|tcp mpi launch|signaled all"
    "ends|signal to the launcher|mpi launch|signaled launcher"
    "ends|signal to launcher and ranks|mpi launch|signaled everything"
    "ends|signal twice within a second|tcp launch|signaled twice"
    "ends|signal while ranks meet|tcp mpi launch|signaled_early"
)

# draw N: a number from 0 to N - 1 in `drawn`, the next one of this trial (by SplitMix64, so that trials are unlike their
# neighbors).
draw() {
    local bits
    random=$((random + 0x9E3779B97F4A7C15))
    bits=$(((random ^ (random >> 30 & 0x3FFFFFFFF)) * 0xBF58476D1CE4E5B9))
    bits=$(((bits ^ (bits >> 27 & 0x1FFFFFFFFF)) * 0x94D049BB133111EB))
    drawn=$(((bits >> 33 & 0x7FFFFFFF) % $1))
}
# draw_of WORD…: one of these, in `drawn`.
draw_of() {
    draw $#
    shift "$drawn"
    drawn="$1"
}
# draw_tenths FROM TO: seconds, in `drawn`.
draw_tenths() {
    draw $(($2 - $1 + 1))
    drawn=$(($1 + drawn))
    drawn="$((drawn / 10)).$((drawn % 10))"
}
draw_rank() {
    draw "$world"
    victim="$drawn"
}
# Two ranks with a link between them: neighbors in the ring, or rank 0 and another.
draw_link() {
    draw_rank
    if [ "$victim" -ne 0 ]; then draw_of 0 $(((victim + 1) % world)); else drawn=$((world - 1)); fi
    ends=("$victim" "$drawn")
    draw 2
    [ "$drawn" = 0 ] || ends=("${ends[1]}" "${ends[0]}")
}

# says WORDS…: what is done, for the trial's line.
says() { echo "$*" >> "$work/said"; }

# --- what must hold ---

iteration() { output_of_rank_0 | { grep -oE '^iter [0-9]+:' || true; } | tail -n 1 | tr -dc 0-9; }
logs() { find "$job" -maxdepth 1 \( -name 'rank-*.log' -o -name job.log \); }
errors() { logs | xargs cat | { grep -aoE 'ddp-train: error: .*' || true; }; }

# The job trains on, and nobody reports an error.
goes_on() {
    demand="false alarms"
    progresses $(($(iteration) + 20))
    reports_nothing
}
reports_nothing() { [ -z "$(errors)" ] || demand_failed "an error is reported: $(errors | head -n 1)"; }

# Every rank is gone in time, and after `relief` (a command that undoes the fault) whatever else belongs to the job.
everyone_leaves() {
    demand=hangs
    none_within "$bound" "$since" job_ranks
    took="$(seconds_since "$since")"
    "$@"
    demand=orphans
    none_within "$bound" "$(now)" job_processes
    wait_until "$bound" exits_are_there || demand_failed "processes are gone, but not all were noted as ended"
    nothing_on_hosts || demand_failed "left behind on the hosts: $left"
}

# blames REGEX: the errors that ranks report begin with this, and every rank but `victim` reports one.
blames() {
    local rank others
    demand="wrong culprits"
    others="$(errors | grep -vE "error: $1" | head -n 1 || true)"
    [ -z "$others" ] || demand_failed "not \"$1\" is blamed: $others"
    if [ "$transport" = tcp ]; then
        for ((rank = 0; rank < world; rank++)); do
            [ "$rank" = "$victim" ] || has_line "rank-$rank.log" "ddp-train: error: $1"
            [ "$rank" = "$victim" ] || rank_exits "$rank" 69
        done
    else
        # mpirun may end the others before they can tell; then it tells itself.
        has_line job.log "ddp-train: error: $1|process rank $victim .*exited on signal"
        [ "$(exit_code job)" != 0 ] || demand_failed "$transport ended with exit code 0"
    fi
}

# Everybody has saved and left with the code of a stop.
stopped_after_saving() {
    demand="wrong culprits"
    reports_nothing
    all_stopped
}

# --- while ranks meet ---

start_job() { start "$transport" "$world" "${model[@]}" "${endless[@]}" "${limits[@]}"; }

# Rank 0 first, then CALLER for a while, then the others.
late_ranks() {
    local rank pause
    transport=tcp
    start_rank 0 "$world" "${model[@]}" "${endless[@]}" "${limits[@]}"
    draw_tenths 3 15
    pause="$drawn"
    says "the others come $pause s after rank 0"
    sleep 0.3
    "$1"
    sleep "$pause"
    for ((rank = 1; rank < world; rank++)); do
        start_rank "$rank" "$world" "${model[@]}" "${endless[@]}" "${limits[@]}"
    done
    demand="false alarms"
    progresses 20
    reports_nothing
    end_callers
}
nobody() { :; }
end_callers() {
    if [ "${#callers[@]}" -gt 0 ]; then kill -KILL "${callers[@]}" 2> /dev/null || true; fi
    callers=()
}
strangers_call() {
    says "with strangers at port $port"
    strangers_on_host "$(master)" "$port" &
    callers+=($!)
}

# A rank of a job with another seed calls at this job's port, with the same secret, as the same user's, or another.
other_job_calls() {
    draw_rank
    local caller="$drawn"
    [ "$caller" -ne 0 ] || caller=1
    draw_of "$secret" ffffffffffffffffffffffffffffffff
    says "with rank $caller of another job ($([ "$drawn" = "$secret" ] && echo same || echo other) secret) at port $port"
    on_host "$caller"
    env RANK="$caller" LOCAL_RANK="$caller" WORLD_SIZE="$world" MASTER_ADDR="$(master)" MASTER_PORT="$port" \
        DDP_TRAIN_SECRET="$drawn" "${at[@]}" "$ddp_train" train --backend=tcp \
        --out_dir="$job/other" "${model[@]}" "${endless[@]}" "${limits[@]}" --seed=7 > "$job/other" 2>&1 < /dev/null &
    callers+=($!)
}

# For the whole job, as a delay needs relays, which connections have to be opened through.
delayed_links() {
    draw_of 2ms 5ms 10ms
    says "delay of $drawn"
    delayed=yes
    "$cluster" shape --delay "$drawn" --jitter 2ms
    start_job
    demand="false alarms"
    progresses 20
    reports_nothing
}

# --- what a job survives ---

short_stop() {
    draw_rank
    draw_tenths 3 20
    says "SIGSTOP of rank $victim for $drawn s"
    local process
    process="$(rank_process "$victim")"
    kill -STOP "$process"
    sleep "$drawn"
    kill -CONT "$process"
    goes_on
}

# As when a machine sleeps.
stop_of_all() {
    draw_tenths 45 60
    says "SIGSTOP of all ranks for $drawn s"
    local processes
    mapfile -t processes < <(every_rank)
    kill -STOP "${processes[@]}"
    sleep "$drawn"
    kill -CONT "${processes[@]}"
    goes_on
}

# Ctrl-Z: nobody reads what ranks print.
stop_of_launcher() {
    draw_tenths 50 70
    says "SIGSTOP of the launcher for $drawn s"
    kill -STOP "$(launcher_process)"
    sleep "$drawn"
    demand="false alarms"
    [ "$(every_rank | wc -l)" = "$world" ] ||
        demand_failed "$(every_rank | wc -l) of $world ranks are left when the launcher goes on"
    kill -CONT "$(launcher_process)"
    goes_on
}

stutter() {
    draw_rank
    says "rank $victim stutters for 3 s"
    local process end=$((SECONDS + 3))
    process="$(rank_process "$victim")"
    while [ "$SECONDS" -lt "$end" ]; do
        kill -STOP "$process"
        sleep 0.15
        kill -CONT "$process"
        sleep 0.05
    done
    goes_on
}

load() {
    draw_tenths 20 40
    says "load for $drawn s"
    for _ in $(seq $((3 * $(nproc)))); do timeout "$drawn" bash -c 'while :; do :; done' & done
    sleep "$drawn"
    goes_on
}

# 1.2 s at most: TCP tries again after 0.2, 0.6, 1.4 and 3 s, and the last would come close to the timeout.
short_cut() {
    draw_link
    draw_tenths 3 12
    says "cut ${ends[0]} ${ends[1]}${1:+ $1} for $drawn s"
    "$cluster" cut "${ends[@]}" "$@"
    sleep "$drawn"
    "$cluster" heal
    goes_on
}

short_unplug() {
    draw_rank
    draw_tenths 2 10
    says "link of host $victim down for $drawn s"
    "$cluster" unplug "$victim"
    sleep "$drawn"
    "$cluster" plug "$victim"
    goes_on
}

shaped_for_a_while() {
    "$cluster" shape "$@"
    sleep "$drawn"
    demand="false alarms"
    reports_nothing
    "$cluster" shape
    goes_on
}
narrow_link() {
    local rate
    draw_of 300kbit 1mbit 5mbit 20mbit
    rate="$drawn"
    # Over MPI 256 kB have to pass within the timeout.
    [ "$transport $rate" != "mpi 300kbit" ] || rate=1mbit
    draw_tenths 20 60
    says "$rate for $drawn s"
    shaped_for_a_while --rate "$rate"
}
lossy_link() {
    local loss
    draw_of 0.5% 2% 5%
    loss="$drawn"
    draw_tenths 20 40
    says "loss of $loss for $drawn s"
    shaped_for_a_while --loss "$loss"
}

strangers_in_training() {
    local at_port
    says "strangers at the ports of rank 0"
    for at_port in "$port" $(ports_of_rank_0); do
        strangers_on_host "$(master)" "$at_port" &
        callers+=($!)
    done
    sleep 2
    goes_on
    end_callers
}

other_job_in_training() {
    other_job_calls
    sleep 2
    goes_on
    end_callers
}

# The file system of out_dir has room for a while, and then again.
disk_full() {
    says "no space left on rank 0's disk"
    { cat /dev/zero > "$job/out/filler"; } 2> /dev/null || true
    demand="false alarms"
    wait_until "$patience" warned "[Nn]o space left" || demand_failed "no warning of the full disk: $(output_of_rank_0 | tail -n 1)"
    goes_on
    rm "$job/out/filler"
    demand="false alarms"
    wait_until "$patience" saves_again "$(saves)" || demand_failed "nothing is saved when there is room again"
    goes_on
}

# Every flush of rank 0 takes 0.7 s, so that a save takes longer than the timeout.
slow_storage() {
    says "slow storage for 8 s"
    slow_flushes 700000
    goes_on
}
# slow_flushes MICROSECONDS: for 8 s, of rank 0.
slow_flushes() {
    timeout 8 strace -f -o /dev/null -e trace=fsync,fdatasync -e "inject=fsync,fdatasync:delay_enter=$1" \
        -p "$(rank_process 0)" 2> /dev/null || true
}

# --- what ends a job ---

killed_rank() {
    draw_rank
    says "kill -9 of rank $victim at iteration $(iteration)"
    since="$(now)"
    kill -KILL "$(rank_process "$victim")"
    everyone_leaves
    blames "rank $victim \("
}

# The job has just been started, and this rank has not joined it, or just has.
killed_early() {
    draw_rank
    draw_tenths 0 6
    says "kill -9 of rank $victim after $drawn s"
    sleep "$drawn"
    wait_until 10 rank_process "$victim" > /dev/null
    since="$(now)"
    kill -KILL "$(rank_process "$victim")"
    everyone_leaves
    blames ".*rank $victim\b"
}

killed_saving() {
    victim=0
    slow_flushes 100000 &
    wait_until "$patience" is_saving || demand_failed "nothing is saved"
    says "kill -9 of rank 0 in a save"
    since="$(now)"
    kill -KILL "$(rank_process 0)"
    everyone_leaves
    blames "rank 0 \("
}
is_saving() { [ -n "$(find "$job/out/checkpoints" -mindepth 1 -maxdepth 1 -name '.*' 2> /dev/null)" ]; }

killed_launcher() {
    says "kill -9 of the launcher"
    since="$(now)"
    kill -KILL "$(launcher_process)"
    everyone_leaves
}

# As when the power fails, but for what the kernel has not written.
killed_all() {
    says "kill -9 of everything at iteration $(iteration)"
    since="$(now)"
    job_processes | xargs kill -KILL
    everyone_leaves
}

# A rank that goes on when the others have left ends too, and blames nobody else.
long_stop() {
    draw_rank
    says "SIGSTOP of rank $victim"
    since="$(now)"
    held="$(rank_process "$victim")"
    kill -STOP "$held"
    demand=hangs
    none_within "$bound" "$since" job_ranks
    kill -CONT "$held"
    held=""
    everyone_leaves
    blames "rank $victim \("
}

# The rank of either end may be named, and the link between them.
long_cut() {
    draw_link
    says "cut ${ends[0]} ${ends[1]}${1:+ $1}"
    since="$(now)"
    "$cluster" cut "${ends[@]}" "$@"
    everyone_leaves "$cluster" heal
    victim=none
    blames "(rank (${ends[0]}|${ends[1]}) \(|the link from rank (${ends[0]}|${ends[1]}) \([^)]*\) to rank (${ends[0]}|${ends[1]}) \()"
}

# For the host without a network it is rank 0 that is gone, or for rank 0 any other.
long_unplug() {
    local named=0
    draw_rank
    says "link of host $victim down"
    since="$(now)"
    "$cluster" unplug "$victim"
    everyone_leaves "$cluster" plug "$victim"
    [ "$victim" != 0 ] || named="[0-9]+"
    if [ "$transport" = tcp ]; then
        has_line "rank-$victim.log" "ddp-train: error: rank $named \("
        rm "$job/rank-$victim.log"
        named="$victim"
    fi
    blames "(rank ($victim|$named) \(|the link from rank ($victim .*|.* to rank $victim) \()"
}

# signaled TARGET: SIGTERM, SIGINT, SIGHUP or SIGUSR1.
signaled() {
    local signal
    draw_of TERM INT HUP USR1
    signal="$drawn"
    draw_rank
    says "SIG$signal ($1, rank $victim) at iteration $(iteration)"
    local processes
    mapfile -t processes < <(
        case "$1" in
            one) rank_process "$victim" ;;
            all | twice) every_rank ;;
            launcher) launcher_process ;;
            everything) job_processes ;;
        esac
    )
    since="$(now)"
    kill "-$signal" "${processes[@]}"
    if [ "$1" = twice ]; then
        sleep 0.4
        kill "-$signal" "${processes[@]}" 2> /dev/null || true
    fi
    everyone_leaves
    # mpirun itself ends its ranks a second after all but SIGUSR1, saved or not.
    [ "$transport $1" != "mpi launcher" ] && [ "$transport $1" != "mpi everything" ] || [ "$signal" = USR1 ] || return 0
    stopped_after_saving
}

# Whether a rank has come so far that it handles SIGTERM.
catches_signals() {
    local process
    process="$(rank_process "$1")" || return 1
    awk '/^SigCgt:/ { exit !(index("4567cdefCDEF", substr($2, length($2) - 3, 1))) }' "/proc/$process/status" 2> /dev/null
}

# Before training there is nothing to save: all end at once.
signaled_early() {
    local signal processes=() rank
    draw_of TERM INT HUP USR1
    signal="$drawn"
    draw_tenths 0 8
    says "SIG$signal to all ranks after $drawn s"
    for ((rank = 0; rank < world; rank++)); do wait_until 10 catches_signals "$rank"; done
    sleep "$drawn"
    mapfile -t processes < <(every_rank)
    since="$(now)"
    kill "-$signal" "${processes[@]}"
    everyone_leaves
    demand="wrong culprits"
    reports_nothing
    all_exit 75
}
