# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# The cases of the failure matrix about the network between hosts, and where ranks run in its full form: rank R on host R of
# cluster.sh. Source it after cases.sh with `cluster` (that script) set.

on_host() { at=("$cluster_folder/agent.sh" --local "$1"); }
on_host_of() {
    local namespace
    namespace="$(ip netns identify "$1")"
    ip netns exec "$namespace" "${@:2}"
}
master() { echo 10.77.0.1; }
by_mpirun() {
    local list="" host
    for ((host = 0; host < $1; host++)); do list+="${list:+,}10.77.0.$((host + 1)):1"; done
    at=("$cluster_folder/agent.sh" --local 0 "$(command -v mpirun)" --allow-run-as-root -np "$1" --host "$list"
        --mca plm_rsh_agent "env DDP_NETNS=$DDP_NETNS $cluster_folder/agent.sh"
        --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24
        --mca btl_tcp_port_min_v4 10000 --mca btl_tcp_port_range_v4 1000)
}
# Strangers come from the last host.
strangers_on_host() {
    export -f strangers
    # shellcheck disable=SC2016 # for the inner shell
    exec ip netns exec "$DDP_NETNS-$((hosts - 1))" bash -c 'strangers "$@"' strangers "$@"
}
# Nothing but relays may run on the hosts when a job is over; mpirun's daemons have a moment for it.
nothing_on_hosts() { wait_until 5 hosts_are_idle; }
hosts_are_idle() {
    local host
    left=""
    for ((host = 0; host < hosts; host++)); do
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

# parted NAME CUT…: every rank leaves and names one of the two, or the link between them.
parted() {
    local title="$1" since a="$2" b="$3"
    training "$title"
    trap '"$cluster" heal' EXIT
    since="$(now)"
    "$cluster" cut "${@:2}"
    gone_within $((2 * deadline + 3)) "$since"
    remark "left after $took s of a deadline of $deadline s"
    survivors_exit none 69
    names "rank ($a|$b) \\("
    "$cluster" heal
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
    gone_within $((2 * deadline + 3)) "$since"
    remark "left after $took s of a deadline of $deadline s"
    survivors_exit none 69
    names "rank ([0-9]+) \\("
    "$cluster" plug "$rank"
    wait_until 10 answers "$rank" || demand_failed "the link does not come back"
    resumes
}
answers() { ip netns exec "$DDP_NETNS-$1" bash -c '! timeout 1 bash -c "exec 3<> /dev/tcp/10.77.0.1/9" 2>&1 | grep -q route'; }

# --- a bit changed on the way ---

# Past the meeting, in the middle of gradients.
flipped_bit() {
    local since rank=$((case_world - 1))
    new_job flipped
    "$cluster" flip "$rank" 300000
    trap '"$cluster" shape' EXIT
    start "$case_transport" "$case_world" "${model[@]}" "${endless[@]}" --timeout="$deadline"
    since="$(now)"
    gone_within 40 "$since"
    "$cluster" flipped "$rank" || demand_failed "no bit was changed"
    survivors_exit none 69
    names "(checksum|CRC)"
    "$cluster" shape
    resumes
}
