#!/usr/bin/env bash
# Kills, stops, floods and misleads jobs of several ranks on this machine, over TCP and under mpirun, and holds each
# case to what must happen: exit codes, one line that names the culprit, in time, no process left behind, and a resumed
# run that ends with the parameters of one that nothing disturbed. Prints a table. Exit code 1 where a case fails.
#
#   scripts/check/failure_matrix.sh --short [--no-build] [--only REGEX] [--evidence FOLDER]
#
#   --short      the form for one machine: loopback, tiny model, two minutes. The full form, on a cluster of network
#                namespaces, is cluster/netns/failure_matrix.sh
#   --no-build   the release program that is there (or DDP_TRAIN), not built again
#   --only       cases whose "name / transport" matches; the undisturbed runs come along
#   --evidence   where the logs of cases that failed are kept
#
# Needs pgrep and ss (procps, iproute2). Without mpirun the cases under it are left out, and that is said.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

short=no build=yes only=. evidence=""
while [ $# -gt 0 ]; do
    case "$1" in
        --short) short=yes ;;
        --no-build) build=no ;;
        --only | --evidence)
            [ $# -gt 1 ] || wrong_use "$1 needs a value"
            if [ "$1" = --only ]; then only="$2"; else evidence="$(user_path "$2")"; fi
            shift
            ;;
        -h | --help)
            print_help "scripts/check/failure_matrix.sh"
            exit 0
            ;;
        *) wrong_use "unknown option $1" ;;
    esac
    shift
done
[ "$short" = yes ] || wrong_use "only --short runs here, the full form is cluster/netns/failure_matrix.sh"
[ "$(uname -s)" = Linux ] || fail "this looks for processes in /proc, so Linux only"
if { ! have pgrep || ! have ss; } && have apt-get; then
    apt_install procps iproute2
fi
if [ "$build" = yes ]; then
    require_swift
    build_release
else
    ddp_train="${DDP_TRAIN:-$(swift build -c release --show-bin-path)/ddp-train}"
fi

work="$(mktemp -d)"
# Whatever happens, no process of a case outlives this script: all have this folder in their command line.
trap 'pkill -KILL -f -- "--out_dir=$work" || true; rm -rf "$work"' EXIT
# shellcheck source=cluster/lib/jobs.sh
source cluster/lib/jobs.sh
# shellcheck source=cluster/lib/checks.sh
source cluster/lib/checks.sh
# shellcheck source=cluster/lib/cases.sh
source cluster/lib/cases.sh
# shellcheck source=cluster/lib/cases_storage.sh
source cluster/lib/cases_storage.sh
# shellcheck source=cluster/lib/cases_start.sh
source cluster/lib/cases_start.sh
# shellcheck source=cluster/lib/cases_stops.sh
source cluster/lib/cases_stops.sh
# shellcheck source=cluster/lib/loopback.sh
source cluster/lib/loopback.sh

"$ddp_train" prepare demo --characters 200000 --data_dir "$work/data" > /dev/null 2>&1

transports=(tcp)
if have mpirun; then transports+=(mpi); else note "there is no mpirun: its cases are left out"; fi
chosen="$only"
only=.
for over in "${transports[@]}"; do run_case "undisturbed" "$over" 2 undisturbed; done
only="$chosen"
for over in "${transports[@]}"; do
    run_case "kill -9 of another rank" "$over" 2 kill_worker
    run_case "kill -9 of rank 0" "$over" 2 kill_rank_0
    run_case "SIGSTOP of another rank" "$over" 2 stop_worker
    run_case "garbage, huge length, 1000 idle, slow" "$over" 2 garbage
    run_case "SIGTERM to a worker" "$over" 2 term_worker
    run_case "SIGINT to rank 0" "$over" 2 int_rank_0
done
run_case "one rank never starts" tcp 2 absent_rank
run_case "wrong secret" tcp 2 wrong_secret
run_case "other world size" tcp 2 other_world_size
run_case "duplicate rank" tcp 2 duplicate_rank
run_case "other configuration" tcp 2 other_configuration
run_case "other data" tcp 2 other_data
run_case "altered checkpoint" tcp 2 altered_checkpoint
if have mpirun; then
    run_case "kill -9 of mpirun" mpi 2 kill_launcher
    run_case "other configuration" mpi 2 other_configuration
    run_case "SIGUSR1 to mpirun" mpi 2 usr1_launcher
fi
run_case "kill -9 of ddp-train launch" launch 2 kill_launcher
run_case "SIGTERM to ddp-train launch" launch 2 term_launcher
run_case "systemd: SIGTERM to every process" launch 2 stop_of_service
run_case "descriptors 0 to 2 closed" launch 2 closed_descriptors
run_case "a parent that ignores SIGCHLD" launch 2 ignored_child_signal
run_case "ulimit -s 512" launch 2 small_stack
run_case "ulimit -f 20" tcp 2 small_files
run_case "output that nobody reads" tcp 2 output_not_read
run_case "other bytes in one rank's train.bin" tcp 2 other_bytes
run_case "one rank's storage hangs" tcp 2 hanging_storage
run_case "two jobs on one port" tcp 2 two_jobs_one_port
if "${container[@]}" true 2> /dev/null; then
    run_case "docker stop in a long iteration" launch 2 stop_in_long_iteration
    run_case "docker stop while others are waited for" tcp 2 stop_while_waiting
else
    note "no process namespaces can be made here (root can): cases in containers are left out"
fi
print_table
[ "$failures" -eq 0 ]
