#!/usr/bin/env bash
# Trains the same model with PyTorch and with ddp-train, from the same weights on the same batches; prints both losses,
# their largest difference and the time of an iteration of each. Exit code 1 where losses differ by more than 1e-3.
#
#   scripts/compare/pytorch.sh [--no-install] [--shape baby|char] [--iterations N] [--activation gelu|gelu_tanh|relu]
#                              [--bias] [--threads N]
#
# Python is the one on the PATH if it has torch, numpy and safetensors, else one in a virtual environment in the cache
# folder (DDP_TRAIN_CACHE), where they are then installed: about 1 GB.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

run_beside_pytorch "safetensors" "$@"
