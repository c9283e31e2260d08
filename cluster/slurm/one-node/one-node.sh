#!/usr/bin/env bash
# Slurm on this one machine, to try batch scripts without a cluster: a munge daemon, a controller and a node of four
# processors, all in one folder. Linux, as root (slurmd starts jobs as their users).
#
#   one-node.sh up       start it; Debian and Ubuntu: apt-get install slurm-wlm munge
#   one-node.sh down     cancel its jobs, end it and remove its folder
#   one-node.sh conf     print the path of its slurm.conf, for  export SLURM_CONF="$(one-node.sh conf)"
#
# The folder is /tmp/ddp-train-slurm unless DDP_SLURM_FOLDER says otherwise. A Slurm that the machine has is left alone.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../scripts/lib/setup.sh"
here="$root/cluster/slurm/one-node"
folder="$(user_path "${DDP_SLURM_FOLDER:-/tmp/ddp-train-slurm}")"
export SLURM_CONF="$folder/slurm.conf"

up() {
    local tool
    for tool in munged slurmctld slurmd; do
        have "$tool" || fail "there is no $tool; Debian and Ubuntu: apt-get install slurm-wlm munge"
    done
    [ "$(id -u)" -eq 0 ] || fail "slurmd needs root"
    [ ! -e "$folder" ] || fail "$folder is there: already up? (one-node.sh down)"
    mkdir -p "$folder"/{state,spool}
    chmod 755 "$folder"
    sed -e "s#@FOLDER@#$folder#" -e "s#@HOST@#$(hostname -s)#" -e "s#@PORT@#16817#" -e "s#@PORT2@#16818#" \
        "$here/slurm.conf.in" > "$SLURM_CONF"
    (umask 077 && head -c 128 /dev/urandom > "$folder/munge.key")
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munge.seed" 2> "$folder/munged.err" ||
        fail "munged: $(tail -n 1 "$folder/munged.err")"
    slurmctld -c
    slurmd
    for _ in $(seq 100); do
        ! sinfo -h -o %T 2> /dev/null | grep -qx idle || return 0
        sleep 0.2
    done
    fail "the node does not become idle: $(sinfo -h -o '%T %E' 2>&1); see $folder/slurmctld.log and slurmd.log"
}

down() {
    local file
    [ -e "$SLURM_CONF" ] || return 0
    timeout 10 scancel -u "$(id -un)" 2> /dev/null || true
    for _ in $(seq 50); do
        [ -n "$(timeout 5 squeue -h 2> /dev/null)" ] || break
        sleep 0.2
    done
    for file in slurmd slurmctld munged; do
        if [ -e "$folder/$file.pid" ]; then kill "$(cat "$folder/$file.pid")" 2> /dev/null || true; fi
    done
    sleep 1
    rm -rf "$folder"
}

case "${1:-}" in
    up) up ;;
    down) down ;;
    conf) echo "$SLURM_CONF" ;;
    "" | -h | --help) print_help "$script" ;;
    *) wrong_use "unknown command $1" ;;
esac
