#!/usr/bin/env bash
# Runs a command on a host of cluster.sh, under that host's name. mpirun calls it in place of ssh.
#
#   agent.sh ADDRESS COMMAND…          as ssh does: the words are joined and read by a shell, in a bare environment
#   agent.sh --local HOST COMMAND…     host by number; the words as they are, in this environment
#
# The process that it becomes is COMMAND itself: same process id, nothing in between.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=cluster/netns/common.sh
source "$here/common.sh"

case "${1:-}" in
    "" | -h | --help)
        print_help "${BASH_SOURCE[0]}"
        exit 0
        ;;
    --local)
        host="$2"
        shift 2
        words=("$@")
        ;;
    10.77.0.*)
        host=$((${1##*.} - 1))
        shift
        # As a login by ssh: nothing of the caller's environment but what names the user.
        words=(env -i HOME="${HOME:-/}" USER="${USER:-root}" PATH="$PATH" sh -c "$*")
        ;;
    *) fail "$1 is no address of a host here" ;;
esac
require_host "$host"
# Open MPI takes hosts of one name for one machine, so each has its own; unshare -u keeps it from everyone else.
# shellcheck disable=SC2016 # for the inner shell
exec ip netns exec "$name-$host" unshare -u -- sh -c 'hostname "$0" && exec "$@"' "node$host" "${words[@]}"
