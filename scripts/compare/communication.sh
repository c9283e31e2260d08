#!/usr/bin/env bash
# Sums the same sizes over the same ranks on this machine with PyTorch's gloo, Open MPI's MPI_Allreduce over TCP and
# ddp-train's ring over TCP, in turn, and prints the bus bandwidth of each, size by size, with ratios run by run.
#
#   scripts/compare/communication.sh [--no-install] [--ranks 2] [--sizes 1,8,42,128] [--runs N] [--repeats N]
#
# Python is the one on the PATH if it has torch, else one in a virtual environment in the cache folder
# (DDP_TRAIN_CACHE), where it is then installed: about 1 GB.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

run_beside_pytorch "" "$@"
