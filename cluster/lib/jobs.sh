# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# Jobs of the failure matrix: starting ranks by TCP, by mpirun or by `ddp-train launch`, finding their processes,
# waiting. Source it under `set -euo pipefail` with `ddp_train` (the program) and `work` (a folder for everything) set,
# and these two functions, which say where ranks run:
#
#   on_host RANK      sets `at`, the words that go before the command of a rank
#   by_mpirun N [M]   sets `at`, mpirun with what it needs for N ranks, M of them (or all) in its first command
#   master            prints the address of rank 0
#
# A case may set words that go before a command: `before_rank` before that of a rank (by TCP and mpirun), and
# `before_launcher` before mpirun or `ddp-train launch`.
#
# A job is a folder, $job: out (the run), rank-R.log and rank-R.exit by TCP, job.log and job.exit for what started it.

# The model: a step takes a few milliseconds. Every rank computes on one thread.
model=(--dataset=demo --data_dir="$work/data" --n_layer=2 --n_head=2 --n_embd=32 --block_size=32 --batch_size=4
    --gradient_accumulation_steps=4 --eval_interval=50 --eval_iters=2 --log_interval=10 --always_save_checkpoint --threads=1)
# A run that nothing disturbs ends here; one that will be disturbed is started without end, and resumed to here.
last=400
bounded=(--max_iters="$last" --lr_decay_iters=400)
endless=(--max_iters=1000000 --lr_decay_iters=400)
secret=0123456789abcdef0123456789abcdef
patience=60

# Seconds since the machine started: setting its clock does not change them.
now() {
    local uptime
    read -r uptime _ < /proc/uptime
    echo "$uptime"
}
seconds_since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }

# new_job NAME: an empty folder for it, in $job.
new_job() {
    job="$work/jobs/$1"
    rm -rf "$job"
    mkdir -p "$job"
    echo "$job" > "$work/job" # for who has not this shell's variables
    world=0 transport=none
    port=$((20000 + RANDOM % 12000))
}

# background LOG EXIT COMMAND…: with its process id in $started, its exit code in a file when it has ended. A background
# command of a script ignores SIGINT; ranks have to start as from a terminal.
background() {
    local log="$1" exit_file="$2"
    shift 2
    rm -f "$exit_file"
    (
        trap '' HUP INT TERM USR1
        env --default-signal=HUP,INT,QUIT,TERM,USR1 "$@" > "$log" 2>&1 < /dev/null &
        echo $! > "$exit_file.pid"
        status=0
        wait $! || status=$?
        echo "$status" > "$exit_file"
    ) 2> /dev/null &
    until [ -s "$exit_file.pid" ]; do sleep 0.01; done
    started="$(cat "$exit_file.pid")"
}

# start_rank RANK WORLD ARGS…: one rank of $job by TCP. `rank_secret` and `rank_variables` change what it is told.
start_rank() {
    local rank="$1" of="$2"
    shift 2
    on_host "$rank"
    background "$job/rank-$rank.log" "$job/rank-$rank.exit" env RANK="$rank" LOCAL_RANK="$rank" WORLD_SIZE="$of" \
        MASTER_ADDR="$(master)" MASTER_PORT="$port" DDP_TRAIN_SECRET="${rank_secret:-$secret}" \
        ${rank_variables[@]+"${rank_variables[@]}"} \
        "${at[@]}" ${before_rank[@]+"${before_rank[@]}"} "$ddp_train" train --backend=tcp --out_dir="$job/out" "$@"
}

# start TRANSPORT WORLD ARGS…: all ranks of $job.
start() {
    local rank
    transport="$1" world="$2"
    shift 2
    case "$transport" in
        tcp) for ((rank = 0; rank < world; rank++)); do start_rank "$rank" "$world" "$@"; done ;;
        mpi)
            by_mpirun "$world"
            background "$job/job.log" "$job/job.exit" ${before_launcher[@]+"${before_launcher[@]}"} "${at[@]}" \
                ${before_rank[@]+"${before_rank[@]}"} "$ddp_train" train --backend=mpi --out_dir="$job/out" "$@"
            ;;
        launch)
            background "$job/job.log" "$job/job.exit" ${before_launcher[@]+"${before_launcher[@]}"} \
                "$ddp_train" launch -n "$world" ${launch_options[@]+"${launch_options[@]}"} -- --out_dir="$job/out" "$@"
            ;;
    esac
}

# The processes of a job, whatever started them: their command lines hold its folder.
job_processes() { pgrep -f -- "--out_dir=$job/out" || true; }

# All of them but what started the ranks, if that is not a rank itself.
job_ranks() {
    if [ "$transport" = tcp ]; then job_processes; else job_processes | { grep -vx "$(launcher_process)" || true; }; fi
}

# rank_process RANK: the process of a rank, also where mpirun or launch started it.
rank_process() {
    local pid
    for pid in $(job_ranks); do
        [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = ddp-train ] || continue
        grep -qzxE "(RANK|OMPI_COMM_WORLD_RANK)=$1" "/proc/$pid/environ" 2> /dev/null || continue
        echo "$pid"
        return
    done
    return 1
}

launcher_process() { cat "$job/job.exit.pid"; }

# every_rank: the processes of all ranks.
every_rank() {
    local rank
    for ((rank = 0; rank < world; rank++)); do rank_process "$rank"; done
}

# wait_until SECONDS COMMAND…: until it succeeds; 1 where it does not in time.
wait_until() {
    local end uptime
    read -r uptime _ < /proc/uptime
    end=$((${uptime/./} + 100 * $1))
    shift
    until "$@"; do
        read -r uptime _ < /proc/uptime
        [ "${uptime/./}" -le "$end" ] || return 1
        sleep 0.02
    done
}

# Rank 0 has logged an iteration at or past this one.
reached() {
    output_of_rank_0 | grep -oE 'iter [0-9]+:' | tail -n 1 | awk -v at="$1" '{ last = $2 + 0 } END { exit !(NR && last >= at) }'
}
output_of_rank_0() { cat "$job"/rank-0.log "$job"/job.log 2> /dev/null || true; }
exits_are_there() {
    local file
    [ -z "$(job_processes)" ] || return 1
    for file in "$job"/*.exit.pid; do [ -e "${file%.pid}" ] || return 1; done
}

# The iteration of the latest checkpoint.
saved_iteration() { basename "$(readlink "$job/out/checkpoints/latest")" | tr -dc 0-9 | sed 's/^0*//'; }

# bits RUN ITERATION: a hash of the parameters and moments in a run's checkpoint of this iteration.
bits() {
    (cd "$1/checkpoints/$(printf 'step-%08d' "$2")" && cat model.safetensors optimizer.safetensors | sha256sum | cut -c 1-16)
}

exit_code() { cat "$job/$1.exit" 2> /dev/null || echo none; }

# The hash of the parameters at the end of a run.
parameters_of() { output_of_rank_0 | grep -oE 'parameters [0-9a-f]+; repeat with' | awk '{ print $2 }' | tr -d ';' | tail -n 1; }

# Ends whatever is left of the job, for the next case.
end_job() {
    local pids
    for _ in 1 2 3; do
        pids="$(job_processes)"
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086 # one argument a process
        kill -KILL $pids 2> /dev/null || true
        sleep 0.2
    done
}
