# shellcheck shell=bash
# What cluster.sh and agent.sh have in common: the names and addresses of the hosts. Source it under `set -euo
# pipefail`.

name="${DDP_NETNS:-ddp}"
# shellcheck disable=SC2034 # used by what sources this
state="/run/ddp-netns/$name"

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 64
}

# Prints a script's own leading comment, without the line that starts it: its help. (scripts/lib/setup.sh has it too, but goes
# to the repository's root, and commands for hosts run where the user is.)
print_help() { awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$1"; }

require_namespaces() {
    local tool
    for tool in ip tc nft; do
        command -v "$tool" > /dev/null ||
            fail "there is no $tool; Debian and Ubuntu: apt-get install iproute2 nftables openmpi-bin"
    done
    [ "$(id -u)" -eq 0 ] || fail "network namespaces need root"
}

# The hosts of the cluster that is up, by number, in order.
hosts() { ip netns list | awk '{ print $1 }' | sed -n "s/^$name-\([0-9][0-9]*\)$/\1/p" | sort -n; }

address() { echo "10.77.0.$(($1 + 1))"; }

require_host() {
    if [[ ! "$1" =~ ^[0-9]+$ ]] || [ ! -e "/run/netns/$name-$1" ]; then
        fail "there is no host $1; up are: $(hosts | paste -sd ' ' -) (cluster.sh up N makes them)"
    fi
}

# nft_in HOST ARGS…: nft on a host.
nft_in() { ip netns exec "$name-$1" nft "${@:2}"; }
