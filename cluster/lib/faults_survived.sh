# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# The faults of random_faults.sh that a job survives. Source it after faults.sh.

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
