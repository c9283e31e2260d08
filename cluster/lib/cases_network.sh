# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# The cases of the failure matrix about the network between hosts, and where ranks run in its full form: rank R on host
# R of cluster.sh. Source it after cases.sh with `cluster` (that script) set.

on_host() { at=("$cluster_folder/agent.sh" --local "$1"); }
on_host_of() {
    local namespace
    namespace="$(ip netns identify "$1")"
    ip netns exec "$namespace" "${@:2}"
}
master() { echo 10.77.0.1; }
by_mpirun() {
    local host
    for ((host = 0; host < $1; host++)); do echo "10.77.0.$((host + 1)) slots=1"; done > "$work/hosts-$1"
    at=("$cluster_folder/agent.sh" --local 0 "$(command -v mpirun)" --allow-run-as-root -np "${2:-$1}"
        --mca orte_default_hostfile "$work/hosts-$1" --mca plm_rsh_agent "env DDP_NETNS=$DDP_NETNS $cluster_folder/agent.sh"
        --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24
        --mca btl_tcp_port_min_v4 10000 --mca btl_tcp_port_range_v4 1000)
}
# Strangers come from the last host.
strangers_on_host() {
    export -f strangers
    # shellcheck disable=SC2016 # for the inner shell
    exec ip netns exec "$DDP_NETNS-$((host_count - 1))" bash -c 'strangers "$@"' strangers "$@"
}
# Nothing but relays may run on the hosts when a job is over; mpirun's daemons have a moment for it.
nothing_on_hosts() { wait_until 5 hosts_are_idle; }
hosts_are_idle() {
    local host
    left=""
    for ((host = 0; host < host_count; host++)); do
        left+="$(ip netns pids "$DDP_NETNS-$host" | xargs -r ps -o args= -p | grep -v relay.py | cut -c 1-80)"
    done
    [ -z "$left" ]
}

# --- slower, never different ---

# A whole run over a bad link, with the same bits and no false alarm.
over_link() {
    new_job link
    "$cluster" shape "$@"
    trap '"$cluster" shape' EXIT
    patience=400
    local since
    since="$(now)"
    start "$case_transport" "$case_world" "${model[@]}" "${bounded[@]}" --timeout="$deadline"
    finishes
    remark "$(seconds_since "$since") s for $last steps"
}
loss_01() { over_link --loss 0.1%; }
loss_1() { over_link --loss 1%; }
loss_5() { over_link --loss 5%; }
rate_10() { over_link --rate 10mbit; }
rate_100() { over_link --rate 100mbit; }
# An iteration takes longer than the timeout: data that comes is a sign of life. Over MPI parts of a message are not seen, so
# 256 kB have to pass within the timeout.
saturated() {
    deadline=3
    new_job none
    world="$case_world"
    undisturbed_to 6
    over_link --rate "$1"
}
rate_300k() { saturated 300kbit; }
rate_1m() { saturated 1mbit; }
# Every message of the ring waits for the one before it, so a whole run would take minutes: fewer steps.
delay_50() {
    new_job none
    world="$case_world"
    undisturbed_to 40
    over_link --delay 50ms --jitter 20ms
}

# --- parted ---

partition_short() {
    training partition-short
    "$cluster" cut 0 $((case_world - 1))
    trap '"$cluster" heal' EXIT
    sleep 2
    "$cluster" heal
    local before
    before="$(output_of_rank_0 | grep -oE 'iter [0-9]+:' | tail -n 1 | tr -dc 0-9)"
    progresses $((before + 40))
    kill -TERM "$(rank_process 0)"
    wait_until 10 exits_are_there || demand_failed "did not stop"
    all_stopped
    resumes
}

# every_rank_leaves SINCE: in time. What started them may have to wait until the link is back: mpirun does not give up a
# daemon that it cannot reach.
every_rank_leaves() {
    none_within $((2 * deadline + 3)) "$1" job_ranks
    took="$(seconds_since "$1")"
    remark "left after $took s of a deadline of $deadline s"
    sleep 1
    [ -z "$(job_processes)" ] || remark "mpirun itself is over only when the link is back"
}
link_is_back() {
    none_within 40 "$(now)" job_processes
    wait_until 5 exits_are_there || demand_failed "processes are gone, but not all were noted as ended"
    nothing_on_hosts || demand_failed "left behind on the hosts: $left"
    survivors_exit none 69
}

# parted NAME A B [--one-way]: every rank leaves and names one of the two, or the link between them.
parted() {
    local title="$1" since a="$2" b="$3"
    training "$title"
    trap '"$cluster" heal' EXIT
    since="$(now)"
    "$cluster" cut "${@:2}"
    every_rank_leaves "$since"
    "$cluster" heal
    link_is_back
    names "rank ($a|$b) \\("
    resumes
}
partition_long() { parted partition-long 0 $((case_world - 1)); }
partition_to_0() { parted partition-to-0 $((case_world - 1)) 0 --one-way; }
partition_from_0() { parted partition-from-0 0 $((case_world - 1)) --one-way; }
# Between two ranks of which neither is rank 0: only the ring's own link is gone.
partition_ring() { parted partition-ring 1 2; }

unplugged() {
    local since rank=$((case_world - 1))
    training unplugged
    trap '"$cluster" plug '"$rank" EXIT
    since="$(now)"
    "$cluster" unplug "$rank"
    every_rank_leaves "$since"
    "$cluster" plug "$rank"
    wait_until 10 answers "$rank" || demand_failed "the link does not come back"
    link_is_back
    names "rank ([0-9]+) \\("
    resumes
}
answers() { ip netns exec "$DDP_NETNS-$1" bash -c '! timeout 1 bash -c "exec 3<> /dev/tcp/10.77.0.1/9" 2>&1 | grep -q route'; }

# --- a bit changed on the way ---

# In the middle of gradients, after the first checkpoint at iteration 50: one takes 80 to 160 kB a rank. Over TCP the last
# host is one that opens a connection for them; which one does so under mpirun is MPI's choice, so all are watched.
flipped_bit() {
    local since host hosts=($((case_world - 1))) flipped=""
    [ "$case_transport" = tcp ] || mapfile -t hosts < <(seq 0 $((case_world - 1)))
    new_job flipped
    for host in "${hosts[@]}"; do "$cluster" flip "$host" 20000000; done
    trap '"$cluster" shape' EXIT
    start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --timeout="$deadline"
    since="$(now)"
    gone_within 40 "$since"
    for host in "${hosts[@]}"; do if "$cluster" flipped "$host" > /dev/null; then flipped="$host"; fi; done
    [ -n "$flipped" ] || demand_failed "no bit was changed"
    survivors_exit none 69
    names "(checksum|CRC)"
    "$cluster" shape
    resumes
}
