# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables go from one of these files to the other
# Where ranks run in the short form of the failure matrix: here, on the loopback interface. Source it after
# jobs.sh, which says what these functions are.

on_host() { at=(env); }
on_host_of() { "${@:2}"; }
master() { echo 127.0.0.1; }
by_mpirun() {
    at=(mpirun --oversubscribe -np "${2:-$1}" --mca btl_tcp_port_min_v4 10000 --mca btl_tcp_port_range_v4 1000)
    [ "$(id -u)" -ne 0 ] || at+=(--allow-run-as-root)
}
strangers_on_host() { strangers "$@"; }
nothing_on_hosts() { :; }
