# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# The cases of the failure matrix about what a job is started with: descriptors, limits, names, ports, output that nobody
# reads, data and disks that are not as they should be. Source it after cases.sh.

# started_by WORDS…: they go before every command that starts processes of the job.
started_by() {
    if [ "$case_transport" = launch ]; then before_launcher=("$@"); else before_rank=("$@"); fi
}

# fifty_iterations NAME [ARGS…]: a whole job, short and with an undisturbed run's bits. These are compared in the checkpoint,
# as there may be no output.
fifty=(--max_iters=50 --lr_decay_iters=400)
fifty_iterations() {
    new_job "$1"
    start "$case_transport" "$case_world" "${model[@]}" "${fifty[@]}" "${@:2}"
    end_after_fifty
}
end_after_fifty() {
    wait_until "$patience" exits_are_there || demand_failed "did not end in $patience s: $(output_of_rank_0 | tail -n 1)"
    all_exit 0
    same_bits 50
}

# --- what a parent hands down ---

# shellcheck disable=SC2016 # for the inner shell
closed_descriptors() {
    started_by bash -c 'exec "$@" 0<&- 1>&- 2>&-' bash
    fifty_iterations closed
}
ignored_child_signal() {
    started_by env --ignore-signal=CHLD
    fifty_iterations ignored-child
}
# shellcheck disable=SC2016 # for the inner shell
small_stack() {
    started_by bash -c 'ulimit -s 512 && exec "$@"' bash
    fifty_iterations stack
}

# No file may be larger than 20 kB, and a checkpoint is.
small_files() {
    # shellcheck disable=SC2016 # for the inner shell
    started_by bash -c 'ulimit -f 20 && exec "$@"' bash
    new_job files
    start "$case_transport" "$case_world" "${model[@]}" --max_iters=20 --save_failure=stop
    wait_until "$patience" exits_are_there || demand_failed "did not end in $patience s"
    survivors_exit none 74 69
    names "ulimit -f"
}

# --- nobody reads, disks are slow ---

# The reader of the output stands still, as after Ctrl-S: longer than the timeout, with more to print than fits into a pipe.
output_not_read() {
    local reader lines
    deadline=2
    new_job not-read
    mkfifo "$job/pipe"
    exec {reader}<> "$job/pipe"
    # shellcheck disable=SC2016 # for the inner shell
    local printing=(bash -c 'exec "${@:2}" > "$1"' bash "$job/pipe")
    if [ "$case_transport" = tcp ]; then before_rank=("${printing[@]}"); else before_launcher=("${printing[@]}"); fi
    start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --log_interval=1 --timeout="$deadline"
    wait_until "$patience" records_more 1000 || demand_failed "training stopped after $(recorded) lines of metrics.jsonl"
    sleep $((deadline + 1))
    lines="$(recorded)"
    wait_until "$patience" records_more "$lines" || demand_failed "training stands still while nobody reads its output"
    cat <&"$reader" >> "$job/read.log" &
    kill -TERM "$(rank_process 0)"
    wait_until 10 exits_are_there || demand_failed "did not stop"
    all_exit 75
}
recorded() { { wc -l < "$job/out/metrics.jsonl"; } 2> /dev/null || echo 0; }
records_more() { [ "$(recorded)" -gt "$1" ]; }

# Every flush takes 0.3 s, so that a save takes longer than the timeout.
slow_saves() {
    started_by strace -f -o /dev/null -e trace=fsync,fdatasync -e inject=fsync,fdatasync:delay_enter=300000
    fifty_iterations slow-flushes --timeout=3
    output_of_rank_0 | grep -oE 'in [0-9.]+ s, of which' | tail -n 1 | sed 's/, of which//; s/^/saved /' | remark_line
}

# --- data that is not the same, or not there ---

# The last rank's train.bin has the right size and other bytes, as a copy that was cut short.
other_bytes() {
    local since
    new_job bytes
    cp -r "$work/data" "$job/data"
    dd if=/dev/zero of="$job/data/demo/train.bin" bs=1000 seek=200 count=160 conv=notrunc status=none
    since="$(now)"
    odd_rank --data_dir="$job/data"
    refused "$since" "train\.bin" 64 65 69
}

# The last rank's storage hangs when it opens its data.
hanging_storage() {
    local since
    deadline=3
    new_job hanging
    cp -r "$work/data" "$job/data"
    rm "$job/data/demo/train.bin"
    mkfifo "$job/data/demo/train.bin"
    since="$(now)"
    odd_rank --data_dir="$job/data"
    gone_within $((2 * deadline + 3)) "$since"
    remark "left after $took s of a deadline of $deadline s"
    survivors_exit $((case_world - 1)) 69 74
    names "rank $((case_world - 1)) \\(.*(open|read|data|train\\.bin)" $((case_world - 1))
}

# --- meeting ---

# Two jobs of one user on one port: the second one's rank 1 is not let into the first, which waits for its own.
two_jobs_one_port() {
    local rank other="$work/jobs/second"
    new_job first
    transport=tcp world="$case_world"
    rm -rf "$other"
    mkdir -p "$other"
    start_rank 0 "$case_world" "${model[@]}" "${fifty[@]}"
    sleep 1
    for rank in 0 1; do
        (job="$other" && start_rank "$rank" "$case_world" "${model[@]}" "${fifty[@]}" --seed=7 --meet_timeout=10)
    done
    (job="$other" && wait_until 15 exits_are_there) || demand_failed "the second job's ranks do not end"
    for ((rank = 1; rank < case_world; rank++)); do start_rank "$rank" "$case_world" "${model[@]}" "${fifty[@]}"; done
    end_after_fifty
    for rank in 0 1; do
        [ "$(cat "$other/rank-$rank.exit")" = 64 ] ||
            demand_failed "rank $rank of the second job ended with $(cat "$other/rank-$rank.exit"), not 64: $(tail -n 1 "$other/rank-$rank.log")"
    done
}

# The name of rank 0's host is known later than ranks are started (a headless service, DHCP). Needs root.
name_comes_later() {
    local rank
    new_job name
    transport=tcp world="$case_world"
    cp /etc/hosts "$job/hosts"
    # shellcheck disable=SC2016 # for the inner shell
    before_rank=(unshare --mount sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$job/hosts")
    rank_variables=(MASTER_ADDR=ddp-train-rank-0)
    for ((rank = case_world - 1; rank >= 0; rank--)); do
        [ "$rank" -gt 0 ] || sleep 2
        [ "$rank" -gt 0 ] || echo "$(master) ddp-train-rank-0" >> "$job/hosts"
        start_rank "$rank" "$case_world" "${model[@]}" "${fifty[@]}"
    done
    end_after_fifty
}

# Rank 0 is started again while the others wait for it, or for the last rank.
restarted_rank_0() {
    local rank
    new_job restarted
    transport=tcp world="$case_world"
    for ((rank = 0; rank < case_world - 1; rank++)); do start_rank "$rank" "$case_world" "${model[@]}" "${fifty[@]}"; done
    sleep 1
    kill -KILL "$(rank_process 0)"
    sleep 1
    start_rank 0 "$case_world" "${model[@]}" "${fifty[@]}"
    start_rank $((case_world - 1)) "$case_world" "${model[@]}" "${fifty[@]}"
    end_after_fifty
}

# --- starting again ---

# A run that got further than the last failure may fail as often again.
restarts_count_again() {
    local round
    launch_options=(--max_restarts=1)
    training restarts
    for round in 1 2; do
        progresses $((120 * round))
        kill -KILL "$(rank_process 1)"
        wait_until "$patience" restarted "$round" || demand_failed "no restart after failure $round: $(tail -n 1 "$job/job.log")"
    done
    wait_until "$patience" trains_again || demand_failed "no training after restart 2: $(tail -n 1 "$job/job.log")"
    kill -TERM "$(launcher_process)"
    wait_until 10 exits_are_there || demand_failed "did not stop"
    all_stopped
    launch_options=()
    resumes
}
restarted() { [ "$(grep -c '^launch: restart ' "$job/job.log")" -ge "$1" ]; }
trains_again() { awk '/^launch: restart / { trains = 0 } /^iter / { trains = 1 } END { exit !trains }' "$job/job.log"; }
