# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# The faults of random_faults.sh that end a job. Source it after faults.sh.

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
    # mpirun has killed it perhaps.
    kill -CONT "$held" 2> /dev/null || true
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
