# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# The cases of the failure matrix about who asks a job to stop, and how long they wait before they kill it: docker 10 s after
# SIGTERM to process 1 of a container, Kubernetes 30 s after the same, Slurm 30 s after SIGTERM to all processes of the job
# steps, systemd 90 s after SIGTERM to every process of the service. Source it after cases.sh.

# What comes before a command so that it is process 1 of a container, as far as signals go. Needs root.
container=(unshare --pid --fork --mount-proc --kill-child)

# in_container: what starts the job's ranks (by TCP: each rank) is process 1 of a container.
in_container() {
    if [ "$case_transport" = tcp ]; then before_rank=("${container[@]}"); else before_launcher=("${container[@]}"); fi
}
outside_container() { before_rank=() before_launcher=(); }

# The first processes of the containers, in the order of their ranks.
first_processes() {
    local file
    for file in "$job"/*.exit.pid; do pgrep -P "$(cat "$file")"; done
}

# stops_in SECONDS SIGNAL PROCESS…: all stop for it before they would be killed, and what is saved is whole.
stops_in() {
    local seconds="$1" signal="$2" since
    shift 2
    since="$(now)"
    kill "-$signal" "$@"
    gone_within "$seconds" "$since"
    remark "stopped after $took s of $seconds s"
    # mpirun itself ends its ranks a second after all signals but SIGUSR1, and has a code of its own.
    if [ "$transport" = mpi ] && [ "$signal" != USR1 ] && [ "${asks_mpirun:-no}" = yes ]; then
        has_line job.log "stopped at iteration [0-9]+"
    else
        all_stopped
    fi
    "$ddp_train" checkpoint verify "$job/out" > "$job/verify.log" 2>&1 ||
        demand_failed "what was saved is not whole: $(tail -n 1 "$job/verify.log")"
}

# docker stop of one container.
stop_of_container() {
    local asks_mpirun=yes processes
    in_container
    training container
    mapfile -t processes < <(first_processes)
    stops_in 10 TERM "${processes[-1]}"
    outside_container
    resumes
}

# kubectl delete of a whole job: SIGTERM to process 1 of every pod.
stop_of_all_containers() {
    local processes
    in_container
    training pods
    mapfile -t processes < <(first_processes)
    stops_in 30 TERM "${processes[@]}"
    outside_container
    resumes
}

# One iteration takes half a minute and more.
stop_in_long_iteration() {
    local asks_mpirun=yes processes
    in_container
    new_job long-iteration
    start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --gradient_accumulation_steps=200000 --timeout="$deadline"
    wait_until "$patience" begins_iterations || demand_failed "training does not begin: $(output_of_rank_0 | tail -n 1)"
    sleep 1
    mapfile -t processes < <(first_processes)
    stops_in 10 TERM "${processes[-1]}"
}
begins_iterations() { output_of_rank_0 | grep -q "^step 0:"; }

# Evaluation takes minutes; nothing is saved before its end.
stop_in_evaluation() {
    local processes since
    in_container
    new_job evaluation
    start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --eval_iters=1000000 --timeout="$deadline"
    wait_until "$patience" begins_evaluation || demand_failed "training does not begin: $(output_of_rank_0 | tail -n 1)"
    sleep 1
    mapfile -t processes < <(first_processes)
    since="$(now)"
    kill -TERM "${processes[-1]}"
    gone_within 10 "$since"
    remark "stopped after $took s of 10 s"
    [ "$case_transport" = mpi ] || all_exit 75
}
begins_evaluation() { output_of_rank_0 | grep -qE "^(this run|expected):"; }

# Process 1 of a container waits for ranks that do not come.
stop_while_waiting() {
    local rank since processes
    for rank in 0 $((case_world - 1)); do
        in_container
        new_job "waiting-$rank"
        transport=tcp world="$case_world"
        start_rank "$rank" "$case_world" "${model[@]}" "${bounded[@]}"
        sleep 1
        mapfile -t processes < <(first_processes)
        since="$(now)"
        kill -TERM "${processes[@]}"
        gone_within 10 "$since"
        remark "rank $rank left after $took s of 10 s"
        rank_exits "$rank" 75
    done
}

# systemd, and others that kill by cgroup: the launcher and its ranks get the signal together.
stop_of_service() {
    local asks_mpirun=yes processes
    training service
    mapfile -t processes < <(job_processes)
    stops_in 90 TERM "${processes[@]}"
    resumes
}

# scancel: all ranks, and not what started them.
stop_of_job_steps() {
    local processes
    training steps
    mapfile -t processes < <(every_rank)
    stops_in 30 TERM "${processes[@]}"
    resumes
}

# The same signal again within 2 s is one request. (mpirun itself kills its ranks at a second one.)
stop_twice() {
    local processes
    training twice
    mapfile -t processes < <(if [ "$case_transport" = mpi ]; then every_rank; else job_processes; fi)
    (for _ in 1 2 3; do sleep 0.05 && kill -TERM "${processes[@]}"; done 2> /dev/null || true) &
    stops_in 10 TERM "${processes[@]}"
    resumes
}

# SIGUSR1 asks, and never kills, however often it comes.
usr1_again_and_again() {
    local processes
    training usr1
    mapfile -t processes < <(job_processes)
    (for _ in $(seq 50); do sleep 0.02 && kill -USR1 "${processes[@]}"; done 2> /dev/null || true) &
    stops_in 10 USR1 "${processes[@]}"
    resumes
}

# The terminal is closed, or ssh is gone.
hup_of_terminal() {
    local asks_mpirun=yes processes
    training hangup
    mapfile -t processes < <(job_processes)
    stops_in 10 HUP "${processes[@]}"
    resumes
}

# The same under nohup: training goes on.
hup_under_nohup() {
    local processes before
    local ignored=(env --ignore-signal=HUP)
    if [ "$case_transport" = tcp ]; then before_rank=("${ignored[@]}"); else before_launcher=("${ignored[@]}"); fi
    training nohup
    mapfile -t processes < <(job_processes)
    kill -HUP "${processes[@]}"
    before="$(output_of_rank_0 | grep -oE 'iter [0-9]+:' | tail -n 1 | tr -dc 0-9)"
    progresses $((before + 40))
    stops_in 10 TERM "$(rank_process 0)"
    outside_container
    resumes
}
