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
