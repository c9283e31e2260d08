#!/usr/bin/env bash
# Generates text with Hugging Face's transformers and with ddp-train, alternately, from the same random weights on the same
# threads; checks that both make the same tokens and prints tokens per second pair by pair. Exit code 1 where tokens differ
# by more than rounding.
#
#   scripts/compare/generation.sh [--no-install] [--shape gpt2|gpt2-medium|small] [--prompt_tokens N]
#                                 [--max_new_tokens N] [--pairs N] [--threads 2,1]
#
# Python is the one on the PATH if it has torch and transformers, else one in a virtual environment in the cache folder
# (DDP_TRAIN_CACHE), where they are then installed: about 1 GB. The weights go to the cache folder too: 0.5 GB for gpt2.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

read_arguments "$@"

require_swift
install_libraries "$install"
require_pytorch "$install" transformers safetensors
build_release
"$python" scripts/compare/generation.py "$ddp_train" "$(cache_folder)" ${arguments[@]+"${arguments[@]}"}
