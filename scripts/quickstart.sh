#!/usr/bin/env bash
# Trains a small GPT on this machine's CPU and prints what it writes: a few minutes. It needs the Swift toolchain.
#
#   scripts/quickstart.sh [--input FILE] [--no-install] [-- OPTIONS]
#
#   --input FILE   train on this text (UTF-8). Without it: tiny shakespeare, if it is at hand or can be downloaded,
#                  else a demo corpus that the program makes itself
#   --no-install   install nothing; say what is missing
#   -- OPTIONS     more options for training, such as --max_iters=500 (all of them: ddp-train train --help)
#
# The run is left in out-quickstart, and replaced by the next quickstart.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

input=""
install=yes
options=()
while [ $# -gt 0 ]; do
    case "$1" in
        --input)
            [ $# -gt 1 ] || wrong_use "--input needs a file"
            input="$(user_path "$2")"
            shift
            ;;
        --input=*) input="$(user_path "${1#--input=}")" ;;
        --no-install) install=no ;;
        --)
            shift
            options=("$@")
            break
            ;;
        -h | --help)
            print_help "scripts/quickstart.sh"
            exit 0
            ;;
        *) wrong_use "unknown option $1" ;;
    esac
    shift
done
[ -z "$input" ] || [ -f "$input" ] || fail "there is no file $input"

require_swift
install_libraries "$install"
build_release

run=out-quickstart
train=("$ddp_train" train --preset=baby --out_dir="$run" --overwrite)
if [ -n "$input" ]; then
    note "preparing $input"
    "$ddp_train" prepare --input "$input" --name quickstart --tokenizer=char --data_dir data --overwrite
    train+=(--dataset=quickstart)
fi

note "training; Ctrl-C ends it early, and its best model so far will write"
status=0
"${train[@]}" ${options[@]+"${options[@]}"} || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 75 ] || exit "$status" # 75: stopped by a signal after saving

note "what the model writes:"
"$ddp_train" sample --out_dir="$run" --num_samples=1 --max_new_tokens=300
