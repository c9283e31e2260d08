#!/usr/bin/env bash
# Compares byte pairs with tiktoken, Hugging Face's tokenizers and rustbpe in one run: the ids of tiny shakespeare and of 100 MB
# of text that is made to be difficult, the time of encoding on one thread and on two, the time of training 8,192 tokens on
# 100 MB, and what the others read of the files that training writes. Exit code 1 where ids differ.
#
#   scripts/compare/tokenizer.sh [--no-install] [--data FOLDER] [--megabytes 100] [--pairs N] [--only ids|speed|training|added]
#
#   --rounds     how many tokenizers with random added tokens are compared (100)
#   --data       a folder with gpt2/vocab.bpe, gpt2/encoder.json and tinyshakespeare/input.txt; else they are downloaded
#
# Python is the one on the PATH if it has the packages, else one in a virtual environment in the cache folder
# (DDP_TRAIN_CACHE), where they are then installed.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

read_arguments "$@"

require_swift
install_libraries "$install"
require_python "$install" tokenizer-peers tiktoken==0.14.0 tokenizers==0.23.3 rustbpe==0.1.0
build_release
"$python" scripts/compare/tokenizer.py "$ddp_train" ${arguments[@]+"${arguments[@]}"}
