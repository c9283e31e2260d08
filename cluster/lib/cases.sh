# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# The cases of the failure matrix that need no network of their own. Each is a function; run_case sets case_transport
# and case_world. Source it after checks.sh.

# A job that trains, past this iteration, with a deadline of 5 s on progress.
deadline=5
training() {
    new_job "$1"
    start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --timeout="$deadline"
    progresses "${2:-60}"
}

# --- nothing disturbs it ---

# The parameters that every other run of this world size is compared with: those of the first transport that runs.
undisturbed() {
    new_job undisturbed
    start "$case_transport" "$case_world" "${model[@]}" "${bounded[@]}" --keep_checkpoints=100
    wait_until "$patience" exits_are_there || demand_failed "did not end in $patience s"
    all_exit 0
    [ -n "$(parameters_of)" ] || demand_failed "no line \"parameters HASH; repeat with: …\""
    if [ ! -e "$work/parameters-$case_world" ]; then
        parameters_of > "$work/parameters-$case_world"
        mv "$job/out" "$work/undisturbed-$case_world"
    fi
    same_parameters
    remark "parameters $(parameters_of)"
}

# --- killed and stopped ---

kill_rank() {
    local rank="$1" since
    training "kill-$rank"
    since="$(now)"
    kill -KILL "$(rank_process "$rank")"
    gone_within 2 "$since"
    remark "gone after $took s"
    survivors_exit "$rank" 69
    names "rank $rank \\(" "$rank"
    resumes
}
kill_worker() { kill_rank $((case_world - 1)); }
kill_rank_0() { kill_rank 0; }

# mpirun or `ddp-train launch` is gone: no rank goes on without it.
kill_launcher() {
    local since
    training kill-launcher
    since="$(now)"
    kill -KILL "$(launcher_process)"
    gone_within 2 "$since"
    remark "gone after $took s"
    resumes
}

stop_rank() {
    local rank="$1" since
    training "stop-$rank"
    since="$(now)"
    held="$(rank_process "$rank")"
    kill -STOP "$held"
    local name_of_held="$rank"
    gone_within $((deadline + 3)) "$since"
    remark "found after $took s of a deadline of $deadline s"
    survivors_exit "$name_of_held" 69
    names "rank $rank \\(" "$rank"
    resumes
}
stop_worker() { stop_rank $((case_world - 1)); }
stop_rank_0() { stop_rank 0; }

# One rank never comes.
absent_rank() {
    local since rank
    new_job absent
    transport=tcp world="$case_world"
    since="$(now)"
    for ((rank = 0; rank < case_world - 1; rank++)); do
        start_rank "$rank" "$case_world" "${model[@]}" "${bounded[@]}" --meet_timeout=3
    done
    gone_within 8 "$since"
    remark "left after $took s of a deadline of 3 s"
    survivors_exit $((case_world - 1)) 69
    names "rank $((case_world - 1))" $((case_world - 1))
}

# --- who does not belong ---

# The ports on which rank 0 listens, without Open MPI's own: mpirun is told to take those from 10000 to 10999.
ports_of_rank_0() {
    local pid
    pid="$(rank_process 0)" || return 0
    on_host_of "$pid" ss -ltnpH 2> /dev/null | { grep -F "pid=$pid," || true; } | awk '{ print $4 }' | sed 's/.*://' |
        { grep -vxE '10[0-9]{3}' || true; } | sort -un
}

# strangers ADDRESS PORT: the connections themselves, made by bash; they stay until the case ends.
strangers() {
    local address="$1" to="$2" fd _
    ulimit -n 4096 || true # as many as are allowed
    # Garbage, a length of 2^64 - 1, a web browser, a line without end.
    head -c 65536 /dev/urandom > "/dev/tcp/$address/$to" || true
    printf '\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377' > "/dev/tcp/$address/$to" || true
    printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' > "/dev/tcp/$address/$to" || true
    # A thousand that say nothing, and one that says a byte a second.
    for _ in $(seq 1000); do exec {fd}<> "/dev/tcp/$address/$to" || break; done
    while sleep 1; do printf 'x' >&"$fd" || break; done
} 2> /dev/null

# Strangers come while ranks meet (by TCP: rank 1 is late) and while they train.
garbage() {
    local rank at_port attackers=() ports=0 pid
    new_job garbage
    if [ "$case_transport" = tcp ]; then
        transport=tcp world="$case_world"
        start_rank 0 "$case_world" "${model[@]}" "${endless[@]}" --timeout="$deadline"
        sleep 0.5
        strangers_on_host "$(master)" "$port" &
        attackers+=($!)
        sleep 1
        for ((rank = 1; rank < case_world; rank++)); do
            start_rank "$rank" "$case_world" "${model[@]}" "${endless[@]}" --timeout="$deadline"
        done
    else
        start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --timeout="$deadline"
    fi
    progresses 20
    for at_port in $(ports_of_rank_0); do
        strangers_on_host "$(master)" "$at_port" &
        attackers+=($!)
        ports=$((ports + 1))
    done
    remark "$ports listening ports while training"
    sleep 2
    local before
    before="$(output_of_rank_0 | grep -oE 'iter [0-9]+:' | tail -n 1 | tr -dc 0-9)"
    progresses $((before + 20))
    kill -TERM "$(rank_process 0)"
    wait_until 10 exits_are_there || demand_failed "did not stop"
    for pid in "${attackers[@]}"; do kill -KILL "$pid" 2> /dev/null || true; done
    all_stopped
    resumes
}

# refused SINCE REGEX CODE…: the whole job leaves at once, and says why on both sides.
refused() {
    local since="$1" pattern="$2" rank
    shift 2
    gone_within $((deadline + 3)) "$since"
    remark "refused after $took s"
    survivors_exit none "$@"
    if [ "$transport" = mpi ]; then
        has_line job.log "error: .*$pattern"
    else
        for rank in 0 $((world - 1)); do has_line "rank-$rank.log" "error: .*$pattern"; done
    fi
}

# odd_rank ARGS…: all ranks of a job, the last one with more arguments (or, by TCP, other variables). mpirun starts two
# programs for it.
odd_rank() {
    local rank shared=("${model[@]}" "${bounded[@]}" --timeout="$deadline" --meet_timeout="$deadline")
    transport="$case_transport" world="$case_world"
    if [ "$transport" = mpi ]; then
        by_mpirun "$world" $((world - 1))
        local first=("${at[@]}") program=("$ddp_train" train --backend=mpi --out_dir="$job/out" "${shared[@]}")
        background "$job/job.log" "$job/job.exit" "${first[@]}" "${program[@]}" : -np 1 "${program[@]}" "$@"
        wait_until 10 has_begun || demand_failed "mpirun starts no rank"
        return
    fi
    for ((rank = 0; rank < world - 1; rank++)); do
        (rank_secret="" rank_variables=() && start_rank "$rank" "$world" "${shared[@]}")
    done
    start_rank "$rank" "${odd_world:-$world}" "${shared[@]}" "$@"
}

has_begun() { rank_process 0 > /dev/null || [ -e "$job/job.exit" ]; }

wrong_secret() {
    local since
    new_job secret
    since="$(now)"
    rank_secret=ffffffffffffffffffffffffffffffff
    odd_rank
    # It cannot be told from a stranger, so the others wait for the rank that has the secret.
    gone_within $((deadline + 3)) "$since"
    survivors_exit none 64 69
    has_line "rank-$((world - 1)).log" "error: .*secret"
    has_line rank-0.log "rank $((world - 1))|secret"
}

other_world_size() {
    local since
    new_job world
    since="$(now)"
    odd_world=$((case_world + 1))
    odd_rank
    refused "$since" "(WORLD_SIZE|world size|ranks)" 64 69
}

duplicate_rank() {
    local since
    new_job duplicate
    since="$(now)"
    rank_variables=(RANK=0)
    odd_rank
    gone_within $((deadline + 3)) "$since"
    survivors_exit none 64 69
    has_line "rank-$((world - 1)).log" "error: .*rank"
}

other_configuration() {
    local since
    new_job configuration
    since="$(now)"
    odd_rank --learning_rate=0.002
    refused "$since" "learning_rate.*0\.00[12].*0\.00[12]" 64 69
}

other_data() {
    local since
    new_job data
    [ -d "$work/other" ] || "$ddp_train" prepare demo --seed 7 --characters 200000 --data_dir "$work/other" > /dev/null 2>&1
    since="$(now)"
    odd_rank --data_dir="$work/other"
    refused "$since" "(data|train\.bin)" 64 65 69
}

# --- signals ---

all_stopped() {
    all_exit 75
    [ "$(output_of_rank_0 | grep -cE 'stopped at iteration [0-9]+')" -ge 1 ] || demand_failed "no line \"stopped at iteration N\""
}

signal_rank() {
    local signal="$1" rank="$2" since
    training "signal-$signal-$rank"
    since="$(now)"
    kill "-$signal" "$(rank_process "$rank")"
    gone_within 10 "$since"
    remark "stopped after $took s"
    all_stopped
    resumes
}
term_worker() { signal_rank TERM $((case_world - 1)); }
int_rank_0() { signal_rank INT 0; }
usr1_worker() { signal_rank USR1 $((case_world - 1)); }

# signal_launcher SIGNAL: mpirun passes on USR1 only; TERM and INT end its ranks a second later at most.
signal_launcher() {
    local signal="$1" since
    training "launcher-$signal"
    since="$(now)"
    kill "-$signal" "$(launcher_process)"
    gone_within 10 "$since"
    remark "stopped after $took s with exit code $(exit_code job)"
    has_line job.log "stopped at iteration [0-9]+"
    resumes
}
usr1_launcher() { signal_launcher USR1; }
term_launcher() { signal_launcher TERM; }
int_launcher() { signal_launcher INT; }
