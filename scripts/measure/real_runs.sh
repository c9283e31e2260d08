#!/usr/bin/env bash
# Trains what people train, at full shape, and keeps the logs: one process beside two ranks by MPI and beside PyTorch, GPT-2's
# shape beside PyTorch on the same batches, byte pairs of one's own, and a run that is killed and resumed. Results go to
# scripts/results/runs: runs.json, runs.md, and what each run printed.
#
#   scripts/measure/real_runs.sh [--no-install] [--only NAME[,NAME…]] [--data FOLDER] [--output FOLDER]
#                        [--keep FOLDER]
#
#   --only     of char, char-mpi, char-pytorch, gpt2, bpe, killed (default: all of them; two AVX-512 cores that do nothing else
#              take an hour and a half, most of it for the first three)
#   --data     folder with tinyshakespeare/input.txt and gpt2/vocab.bpe (default: both are downloaded)
#   --output   folder of the results (default: scripts/results/runs); what was not run keeps what stands there
#   --keep     folder for the report pages of char and char-mpi (default: they are not kept)
#
# Python is the one on the PATH if it has torch, numpy and safetensors, else one in a virtual environment in the cache
# folder (DDP_TRAIN_CACHE), where they are then installed: about 1 GB.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

run_beside_pytorch "safetensors" "$@"
