#!/usr/bin/env bash
# Times whole training steps (forward, backward, clipping, AdamW) of PyTorch and of ddp-train, alternately, on this machine,
# and prints the ratio pair by pair with its median. Results go to scripts/results/speed.json and speed.md.
#
#   scripts/compare/speed.sh [--no-install] [--shape NAME[,NAME…]] [--pairs N] [--steps N] [--threads N] [--output FOLDER]
#
#   --shape     of baby, char, char-nodropout, gpt2 (default: all of them)
#   --pairs     how often each program is run, in turns (default: 5)
#   --steps     steps that each run measures (default: as many as take about 10 s, 5 to 200)
#   --threads   of both programs (default: all)
#   --output    folder of the results (default: scripts/results); shapes that were not measured keep what stands there
#
# PyTorch runs eagerly and compiled (where there is a C++ compiler), in float32, with the faster of its two AdamWs, and its
# faster form is what ddp-train is compared with. Every run is a process of its own, so that no program's threads wait
# while the other is measured.
#
# Python is the one on the PATH if it has torch and numpy, else one in a virtual environment in the cache folder
# (DDP_TRAIN_CACHE), where they are then installed: about 1 GB.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

run_beside_pytorch "" "$@"
