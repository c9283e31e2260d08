#!/usr/bin/env bash
# Exchanges small models with the tools that users have, both ways, and prints a table: Hugging Face's transformers, PyTorch in
# nanoGPT's form, llm.c's files by a reader and a writer in Python, PyPI's gguf, llama.cpp. Losses agree to 1e-5, logits to 1e-4,
# weights, greedy tokens and the ids of tokenizers exactly. Exit code 1 where anything differs.
#
#   scripts/check/exchange.sh [--no-install] [--keep FOLDER]
#
# Python is the one on the PATH if it has all packages, else one in a virtual environment in the cache folder (DDP_TRAIN_CACHE),
# where they are then installed: about 1 GB. llama-cpp-python is compiled there, which takes some minutes; where that fails, its
# rows are skipped, and say so. --keep leaves all files in a folder.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

read_arguments "$@"

require_swift
install_libraries "$install"
require_pytorch "$install" transformers safetensors tokenizers gguf
if ! "$python" -c 'import llama_cpp' 2> /dev/null && [ "$install" = yes ]; then
    note "compiling llama-cpp-python"
    "$python" -m pip install --quiet llama-cpp-python || note "llama-cpp-python cannot be built here: its rows are skipped"
fi
build_release
"$python" scripts/check/exchange.py "$ddp_train" ${arguments[@]+"${arguments[@]}"}
