#!/usr/bin/env bash
# The failure matrix in full, on a cluster of network namespaces (cluster.sh): losses, delays, narrow links, partitions,
# kills, stops, strangers, wrong secrets and options, other data, flipped bits, full and slow disks, damaged checkpoints,
# signals as docker, Kubernetes, systemd and Slurm send them, closed descriptors and limits, over TCP, under mpirun and by
# `ddp-train launch`, for jobs of 2, 3 and 4 hosts. Each case is held to exit codes, one line that names the culprit,
# its deadline, no process left behind, and a resumed run that ends with the parameters of one that nothing disturbed.
# Prints a table. Linux, as root; half an hour or more. Exit code 1 where a case fails.
#
#   cluster/netns/failure_matrix.sh [--no-build] [--worlds 2,3,4] [--transports tcp,mpi] [--only REGEX]
#                                   [--evidence FOLDER] [--table FILE]
#
#   --no-build     the release program that is there (or DDP_TRAIN), not built again
#   --worlds       how many hosts (default: all cases with 3; kills, stops and signals also with 2 and 4)
#   --transports   one of the two only
#   --only         cases whose "name / transport" matches; the undisturbed runs come along
#   --evidence     where the logs of cases that failed are kept
#   --table        write the table to this file too
#
# Needs iproute2, nftables, openmpi-bin, strace and, where the kernel has no netem, python3.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/setup.sh"

build=yes only=. evidence="" table="" worlds="" transports=(tcp mpi)
while [ $# -gt 0 ]; do
    case "$1" in
        --no-build) build=no ;;
        --worlds | --transports | --only | --evidence | --table)
            [ $# -gt 1 ] || wrong_use "$1 needs a value"
            case "$1" in
                --worlds) worlds="$2" ;;
                --transports) IFS=, read -ra transports <<< "$2" ;;
                --only) only="$2" ;;
                --evidence) evidence="$(user_path "$2")" ;;
                --table) table="$(user_path "$2")" ;;
            esac
            shift
            ;;
        -h | --help)
            print_help "cluster/netns/failure_matrix.sh"
            exit 0
            ;;
        *) wrong_use "unknown option $1" ;;
    esac
    shift
done
have mpirun || fail "there is no mpirun; Debian and Ubuntu: apt-get install iproute2 nftables openmpi-bin"
if [ "$build" = yes ]; then
    require_swift
    build_release
else
    ddp_train="${DDP_TRAIN:-$(swift build -c release --show-bin-path)/ddp-train}"
fi

cluster_folder="$root/cluster/netns"
cluster="$cluster_folder/cluster.sh"
export DDP_NETNS="${DDP_NETNS:-ddpmatrix}"
work="$(mktemp -d)"
trap '"$cluster" down; rm -rf "$work"' EXIT
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
# shellcheck source=cluster/lib/cases_network.sh
source cluster/lib/cases_network.sh

"$ddp_train" prepare demo --characters 200000 --data_dir "$work/data" > /dev/null 2>&1
all_worlds="${worlds:-2,3,4}"
main_worlds="${worlds:-3}"
host_count=$(($(tr ',' '\n' <<< "$all_worlds" | sort -n | tail -n 1) + 1)) # one more, for strangers
"$cluster" up "$host_count"

# cases WORLDS NAME FUNCTION [TRANSPORT…]: one case for each of these sizes and transports.
cases() {
    local sizes="$1" title="$2" function="$3" over size
    shift 3
    [ $# -gt 0 ] || set -- "${transports[@]}"
    for size in ${sizes//,/ }; do
        for over in "$@"; do
            [[ " ${transports[*]} launch " == *" $over "* ]] || continue
            run_case "$title" "$over" "$size" "$function"
        done
    done
}

chosen="$only" only=.
cases "$all_worlds" "undisturbed" undisturbed
only="$chosen"
cases "$main_worlds" "loss of 0.1 %" loss_01
cases "$main_worlds" "loss of 1 %" loss_1
cases "$main_worlds" "loss of 5 %" loss_5
cases "$main_worlds" "100 Mb/s" rate_100
cases "$main_worlds" "10 Mb/s" rate_10
cases "$main_worlds" "300 kb/s at a timeout of 3 s" rate_300k tcp
cases "$main_worlds" "1 Mb/s at a timeout of 3 s" rate_1m mpi
cases "$main_worlds" "delay of 50 ms ± 20" delay_50
cases "$main_worlds" "partition shorter than the deadline" partition_short
cases "$main_worlds" "partition longer than the deadline" partition_long
cases "$main_worlds" "partition one way, to rank 0" partition_to_0
cases "$main_worlds" "partition one way, from rank 0" partition_from_0
cases "${worlds:-4}" "partition between ranks 1 and 2" partition_ring
cases "$main_worlds" "link of another rank down" unplugged
cases "$all_worlds" "kill -9 of another rank" kill_worker
cases "$all_worlds" "kill -9 of rank 0" kill_rank_0
cases "$main_worlds" "kill -9 of mpirun" kill_launcher mpi
cases "$main_worlds" "kill -9 of ddp-train launch" kill_launcher launch
cases "$all_worlds" "SIGSTOP of another rank" stop_worker
cases "$all_worlds" "SIGSTOP of rank 0" stop_rank_0
cases "$all_worlds" "one rank never starts" absent_rank tcp
cases "$main_worlds" "garbage, huge length, 1000 idle, slow" garbage
cases "$main_worlds" "wrong secret" wrong_secret tcp
cases "$main_worlds" "other world size" other_world_size tcp
cases "$main_worlds" "duplicate rank" duplicate_rank tcp
cases "$main_worlds" "other configuration" other_configuration
cases "$main_worlds" "other data" other_data
cases "$main_worlds" "other bytes in one rank's train.bin" other_bytes
cases "$main_worlds" "one rank's storage hangs" hanging_storage
cases "$main_worlds" "two jobs on one port" two_jobs_one_port tcp
cases "$main_worlds" "the name of rank 0 comes later" name_comes_later tcp
cases "$main_worlds" "rank 0 starts again while ranks meet" restarted_rank_0 tcp
cases "$main_worlds" "a flipped bit" flipped_bit
cases "$main_worlds" "disk full" full_disk
cases "$main_worlds" "folder becomes read-only" read_only_folder
cases "$main_worlds" "kill -9 while saving" kill_while_saving
cases "$main_worlds" "altered checkpoint" altered_checkpoint tcp
cases "$main_worlds" "truncated checkpoint" truncated_checkpoint tcp
cases "$all_worlds" "SIGTERM to a worker" term_worker
cases "$all_worlds" "SIGINT to rank 0" int_rank_0
cases "$main_worlds" "SIGUSR1 to a worker" usr1_worker
cases "$main_worlds" "SIGUSR1 to mpirun" usr1_launcher mpi
cases "$main_worlds" "SIGTERM to mpirun" term_launcher mpi
cases "$main_worlds" "SIGINT to mpirun" int_launcher mpi
cases "$main_worlds" "SIGTERM to ddp-train launch" term_launcher launch
# Who stops jobs, and how long each of them waits before SIGKILL.
all=(tcp mpi launch)
cases "$main_worlds" "docker stop" stop_of_container "${all[@]}"
cases "$main_worlds" "docker stop in a long iteration" stop_in_long_iteration "${all[@]}"
cases "$main_worlds" "docker stop in a long evaluation" stop_in_evaluation "${all[@]}"
cases "$main_worlds" "docker stop while others are waited for" stop_while_waiting tcp
cases "$main_worlds" "Kubernetes: every pod's process 1" stop_of_all_containers tcp
cases "$main_worlds" "systemd: SIGTERM to every process" stop_of_service mpi launch
cases "$main_worlds" "scancel: SIGTERM to every rank" stop_of_job_steps "${all[@]}"
cases "$main_worlds" "SIGTERM four times in 0.2 s" stop_twice "${all[@]}"
cases "$main_worlds" "SIGUSR1 fifty times in a second" usr1_again_and_again "${all[@]}"
cases "$main_worlds" "SIGHUP to every process" hup_of_terminal "${all[@]}"
cases "$main_worlds" "SIGHUP under nohup" hup_under_nohup tcp launch
# What a job is started with.
cases "$main_worlds" "descriptors 0 to 2 closed" closed_descriptors tcp launch
cases "$main_worlds" "a parent that ignores SIGCHLD" ignored_child_signal "${all[@]}"
cases "$main_worlds" "ulimit -s 512" small_stack "${all[@]}"
cases "$main_worlds" "ulimit -f 20" small_files "${all[@]}"
cases "$main_worlds" "output that nobody reads" output_not_read "${all[@]}"
cases "$main_worlds" "saves slower than the timeout" slow_saves "${all[@]}"
cases "$main_worlds" "restarts count again after progress" restarts_count_again launch
print_table | tee ${table:+"$table"}
[ "$failures" -eq 0 ]
