#!/usr/bin/env bash
# A cluster of network namespaces on this machine: N hosts, each with an address and a host name of its own, joined by a
# switch, with the bandwidth, loss and delay that are asked for. Linux, as root; every command but exec and run takes a
# moment. The machine's own network is not touched.
#
#   cluster.sh up N [--rate 1gbit] [--loss 1%] [--delay 50ms] [--jitter 20ms]
#                                 make it, in place of one that is there (N from 1 to 200)
#   cluster.sh shape [--rate …] [--loss …] [--delay …] [--jitter …]
#                                 change it; what is not given is unlimited
#   cluster.sh run [--tcp|--mpi] [--logs FOLDER] [--hosts N] -- COMMAND…
#                                 a job with one rank on every host, COMMAND on each: by TCP (default) with RANK,
#                                 WORLD_SIZE, MASTER_ADDR, MASTER_PORT and a secret made for it; or by mpirun on host 0,
#                                 through agent.sh instead of ssh. Ends with the first exit code that is not 0.
#                                 --logs: by TCP also rank-R.log, rank-R.pid and rank-R.exit there
#   cluster.sh exec HOST -- COMMAND…
#                                 COMMAND on host number HOST (0 to N-1)
#   cluster.sh cut A B [--one-way]
#                                 nothing passes any more between hosts A and B, or from A to B; connections stay open
#   cluster.sh heal               undo every cut
#   cluster.sh unplug HOST | plug HOST
#                                 take a host's link down, and up again
#   cluster.sh flip HOST BYTES    change one bit, once, in what passes over a TCP connection that the host opens from now on,
#                                 after so many bytes; `cluster.sh flipped HOST` says whether it happened; shape ends it
#   cluster.sh status             hosts, addresses, shaping, processes
#   cluster.sh down               end every process on its hosts and take it away, also what a killed run left
#
#   --rate     token bucket of 128 kB at both ends of every host's link
#   --loss     share of the packets that reach a host and are dropped there, at random
#   --delay    of every packet, each way, by netem; where the kernel has none, by relay.py: of every byte that a host sends
#              over TCP or receives on a connection that it opened (packets themselves and UDP are not delayed)
#   --jitter   added or taken at random, at most this much
#
# Hosts are namespaces NAME-0, NAME-1, … with addresses 10.77.0.1, … and fd77::1, … and host names node0, …; NAME is ddp
# unless DDP_NETNS says otherwise (several clusters do not see each other). Needs ip and tc (iproute2), nft (nftables),
# mpirun (openmpi-bin) for --mpi, python3 for a delay without netem.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=cluster/netns/common.sh
source "$here/common.sh"

# What up and shape have in common: sets rate, loss, delay and jitter.
read_shape() {
    rate="" loss="" delay="" jitter=""
    while [ $# -gt 0 ]; do
        case "$1" in
            --rate=* | --loss=* | --delay=* | --jitter=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
            --rate | --loss | --delay | --jitter) [ $# -gt 1 ] || fail "$1 needs a value" ;;
            *) fail "unknown option $1; see cluster.sh --help" ;;
        esac
        case "$1" in
            --rate) rate="$2" ;;
            --loss) loss="$2" ;;
            --delay) delay="$2" ;;
            --jitter) jitter="$2" ;;
        esac
        shift 2
    done
    [[ -z "$loss" || "$loss" =~ ^[0-9]+(\.[0-9]{1,2})?%$ ]] || fail "--loss $loss: a percentage, such as 0.1%"
    [[ -z "$delay" || "$delay" =~ ^[0-9]+ms$ ]] || fail "--delay $delay: whole milliseconds, such as 50ms"
    [[ -z "$jitter" || "$jitter" =~ ^[0-9]+ms$ ]] || fail "--jitter $jitter: whole milliseconds, such as 20ms"
    [ -z "$jitter" ] || [ -n "$delay" ] || fail "--jitter without --delay"
}

# shape_link NAMESPACE DEVICE: what leaves by this device.
shape_link() {
    local namespace="$1" device="$2"
    ip netns exec "$namespace" tc qdisc del dev "$device" root 2> /dev/null || true
    if [ -n "$rate" ]; then
        ip netns exec "$namespace" tc qdisc add dev "$device" root handle 1: tbf rate "$rate" burst 128kb latency 20ms ||
            fail "--rate $rate: tc does not take it"
    fi
    if [ -n "$delay" ] && [ "$netem" = yes ] && [ "$device" = eth0 ]; then
        local under=(root)
        [ -z "$rate" ] || under=(parent 1:1)
        ip netns exec "$namespace" tc qdisc add dev "$device" "${under[@]}" netem \
            delay "$delay" ${jitter:+"$jitter"} limit 100000
    fi
}

# Does the kernel have netem? Tried on the loopback device of host 0.
find_netem() {
    netem=no
    if ip netns exec "$name-0" tc qdisc add dev lo root netem delay 1ms 2> /dev/null; then
        ip netns exec "$name-0" tc qdisc del dev lo root
        netem=yes
    fi
}

shape() {
    local host namespace
    find_netem
    for host in $(hosts); do
        namespace="$name-$host"
        shape_link "$namespace" eth0
        shape_link "$name-switch" "port$host"
        # A packet that is lost should be one of the wire's, not one of the 64 kB that the stack hands over whole.
        ip -n "$namespace" link set eth0 gso_max_segs "$([ -n "$loss" ] && echo 1 || echo 65535)"
        nft_in "$host" flush chain inet ddp loss
        if [ -n "$loss" ]; then
            nft_in "$host" add rule inet ddp loss iif eth0 numgen random mod 10000 "<" "$(per_ten_thousand "$loss")" drop
        fi
        stop_relay "$host"
        if [ -n "$delay" ] && [ "$netem" = no ]; then
            jitter="${jitter%ms}"
            start_relay "$host" --delay "${delay%ms}" --jitter "${jitter:-0}"
        fi
    done
}

# start_relay HOST OPTIONS…: every connection that this host opens to another goes through a relay on it.
start_relay() {
    local host="$1" port=7777 log="$state/relay-$1.log"
    command -v python3 > /dev/null || fail "this kernel has no netem, and there is no python3 for the relay in its place"
    ip netns exec "$name-$host" python3 "$here/relay.py" --port "$port" "${@:2}" > "$log" 2>&1 < /dev/null &
    echo $! > "$state/relay-$host.pid"
    for _ in $(seq 100); do
        ! grep -q ready "$log" || break
        kill -0 $! 2> /dev/null || fail "the relay ended: $(tail -n 1 "$log")"
        sleep 0.1
    done
    ip netns exec "$name-$host" nft -f - << RULES
table ip ddp_relay {
    chain out {
        type nat hook output priority -100;
        meta mark 0x77 accept
        ip daddr 10.77.0.0/24 ip daddr != $(address "$host") tcp dport 1-65535 redirect to :$port
    }
}
RULES
}

stop_relay() {
    local file="$state/relay-$1.pid"
    [ -e "$file" ] || return 0
    nft_in "$1" delete table ip ddp_relay 2> /dev/null || true
    kill "$(cat "$file")" 2> /dev/null || true
    rm -f "$file"
}

per_ten_thousand() { awk -v percent="${1%\%}" 'BEGIN { printf "%d", percent * 100 + 0.5 }'; }

up() {
    if [[ ! "${1:-}" =~ ^[0-9]{1,3}$ ]] || [ "$1" -lt 1 ] || [ "$1" -gt 200 ]; then
        fail "up: how many hosts? 1 to 200; see cluster.sh --help"
    fi
    local count="$1" host namespace
    shift
    read_shape "$@"
    down
    mkdir -p "$state"
    ip netns add "$name-switch"
    ip -n "$name-switch" link add switch type bridge
    ip -n "$name-switch" link set switch up
    for ((host = 0; host < count; host++)); do
        namespace="$name-$host"
        ip netns add "$namespace"
        ip -n "$name-switch" link add "port$host" type veth peer name eth0 netns "$namespace"
        ip -n "$name-switch" link set "port$host" master switch up
        ip -n "$namespace" link set lo up
        ip -n "$namespace" link set eth0 up
        ip -n "$namespace" address add "$(address "$host")/24" dev eth0
        ip -n "$namespace" address add "fd77::$((host + 1))/64" dev eth0 nodad 2> /dev/null || true # a kernel without IPv6
        ip netns exec "$namespace" nft -f - << 'RULES'
table inet ddp {
    chain cut { }
    chain loss { }
    chain input { type filter hook input priority 0; jump cut; jump loss; }
}
RULES
    done
    shape
}

down() {
    local namespace pids round
    for namespace in $(ip netns list | awk '{ print $1 }' | grep -E "^$name-([0-9]+|switch)$"); do
        for round in 1 2 3; do
            pids="$(ip netns pids "$namespace")"
            [ -n "$pids" ] || break
            # shellcheck disable=SC2086 # one argument a process
            kill -KILL $pids 2> /dev/null || true
            sleep "0.$round"
        done
        ip netns delete "$namespace"
    done
    rm -rf "$state"
}

cut() {
    local a="${1:-}" b="${2:-}"
    require_host "$a"
    require_host "$b"
    block "$a" "$b"
    case "${3:-}" in
        "") block "$b" "$a" ;;
        --one-way) ;;
        *) fail "unknown option $3; see cluster.sh --help" ;;
    esac
}

# block A B: host B takes nothing from host A.
block() {
    nft_in "$2" add rule inet ddp cut ip saddr "$(address "$1")" drop
    nft_in "$2" add rule inet ddp cut ip6 saddr "fd77::$(($1 + 1))" drop
}

heal() {
    local host
    for host in $(hosts); do nft_in "$host" flush chain inet ddp cut; done
}

run() {
    local transport=tcp logs="" count
    count="$(hosts | wc -l)"
    while [ $# -gt 0 ]; do
        case "$1" in
            --tcp) transport=tcp ;;
            --mpi) transport=mpi ;;
            --logs | --hosts)
                [ $# -gt 1 ] || fail "$1 needs a value"
                case "$1" in --logs) logs="$2" ;; --hosts) count="$2" ;; esac
                shift
                ;;
            --)
                shift
                break
                ;;
            *) fail "unknown option $1; see cluster.sh --help" ;;
        esac
        shift
    done
    [ $# -gt 0 ] || fail "run: which command?"
    require_host "$((count - 1))"
    if [ "$transport" = mpi ]; then
        run_mpi "$count" "$@"
    else
        run_tcp "$count" "$logs" "$@"
    fi
}

run_mpi() {
    local count="$1" list="" host
    shift
    for ((host = 0; host < count; host++)); do list+="${list:+,}$(address "$host"):1"; done
    exec "$here/agent.sh" --local 0 "$(command -v mpirun)" --allow-run-as-root -np "$count" --host "$list" \
        --mca plm_rsh_agent "env DDP_NETNS=$name $here/agent.sh" \
        --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 "$@"
}

run_tcp() {
    local count="$1" logs="$2" host first=0 exits waiting
    shift 2
    exits="$(mktemp -d)"
    [ -n "$logs" ] || logs="$exits"
    mkdir -p "$logs"
    (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$exits/secret")
    local port=$((20000 + RANDOM % 12000))
    waiting=()
    for ((host = 0; host < count; host++)); do
        (
            trap '' INT TERM USR1 # it has to note how its rank ends
            env --default-signal=INT,QUIT,TERM,USR1 RANK="$host" LOCAL_RANK=0 WORLD_SIZE="$count" MASTER_ADDR="$(address 0)" \
                MASTER_PORT="$port" DDP_TRAIN_SECRET_FILE="$exits/secret" "$here/agent.sh" --local "$host" "$@" \
                > >(tee "$logs/rank-$host.log" | sed -u "s/^/[$host] /") 2>&1 < /dev/null &
            echo $! > "$logs/rank-$host.pid"
            status=0
            wait $! || status=$?
            echo "$status" > "$logs/rank-$host.exit"
        ) &
        waiting+=($!)
    done
    # A signal to this script goes to every rank, and the wait goes on. (Ctrl-C reaches ranks from the terminal as
    # well.)
    # shellcheck disable=SC2064 # the folder of this run
    for signal in INT TERM USR1; do trap "pass_on $signal $logs" "$signal"; done
    while [ -n "$(jobs -rp)" ]; do wait "${waiting[@]}" || true; done
    for ((host = 0; host < count; host++)); do
        [ "$first" -ne 0 ] || first="$(cat "$logs/rank-$host.exit")"
    done
    rm -rf "$exits"
    exit "$first"
}

# pass_on SIGNAL LOGS: to every rank of the run that keeps its process ids there.
pass_on() {
    local file
    for file in "$2"/rank-*.pid; do kill "-$1" "$(cat "$file")" 2> /dev/null || true; done
}

status() {
    local host
    for host in $(hosts); do
        printf 'host %s: %s, node%s, %s, %s processes\n' "$host" "$(address "$host")" "$host" \
            "$(ip netns exec "$name-$host" tc qdisc show dev eth0 | head -n 1)" "$(ip netns pids "$name-$host" | wc -l)"
        nft_in "$host" list chain inet ddp cut | grep drop || true
    done
}

command="${1:-}"
case "$command" in
    "" | -h | --help)
        print_help "${BASH_SOURCE[0]}"
        exit 0
        ;;
    up | down | shape | run | exec | cut | heal | unplug | plug | flip | flipped | status) ;;
    *) fail "unknown command $command; see cluster.sh --help" ;;
esac
shift
require_namespaces
case "$command" in
    up) up "$@" ;;
    down) down ;;
    shape)
        require_host 0
        read_shape "$@"
        shape
        ;;
    run) run "$@" ;;
    exec)
        if [ "${2:-}" != -- ] || [ $# -lt 3 ]; then fail "exec HOST -- COMMAND…"; fi
        require_host "$1"
        exec "$here/agent.sh" --local "$1" "${@:3}"
        ;;
    cut) cut "$@" ;;
    heal) heal ;;
    unplug | plug)
        require_host "${1:-}"
        ip -n "$name-$1" link set eth0 "$([ "$command" = plug ] && echo up || echo down)"
        ;;
    flip)
        require_host "${1:-}"
        stop_relay "$1"
        start_relay "$1" --flip-after "${2:?flip: after how many bytes?}"
        ;;
    flipped)
        require_host "${1:-}"
        grep "changed a bit" "$state/relay-$1.log"
        ;;
    status)
        require_host 0
        status
        ;;
esac
