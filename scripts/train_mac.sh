#!/usr/bin/env bash
# Trains a GPT on a Mac with Apple silicon: picks a preset by its memory and says which, builds, shows what the run will
# take, trains, and prints what the model writes. Written for macOS, and tried on Linux only: as --dry-run, and with stand-ins
# for uname, sysctl and swift.
#
#   scripts/train_mac.sh [--input FILE] [--preset NAME] [--no-install] [--dry-run [--memory N]] [-- OPTIONS]
#
#   --input FILE   train on this text (UTF-8). Without it: tiny shakespeare, or else the demo corpus
#   --preset NAME  take this one, whatever the memory: tiny, small, medium or large (about 1, 10, 30, 86 million parameters)
#   --no-install   install nothing; say what is missing
#   --dry-run      print the commands and run none; on any system
#   --memory N     with --dry-run: as on a Mac with N GB
#   -- OPTIONS     more options for training, such as --max_iters=2000 (all of them: ddp-train train --help)
#
# Below 16 GB the preset is tiny, below 32 GB small, from there on medium. None of them comes near to filling that memory:
# it stands for how fast a machine of its class is. The run is left in out-mac; if one is there, it goes on.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

input="" preset="" memory="" install=yes dry=no
options=()
while [ $# -gt 0 ]; do
    case "$1" in
        --input=* | --preset=* | --memory=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
        --input | --preset | --memory)
            [ $# -gt 1 ] || wrong_use "$1 needs a value"
            case "$1" in
                --input) input="$(user_path "$2")" ;;
                --preset) preset="$2" ;;
                --memory) memory="$2" ;;
            esac
            shift
            ;;
        --no-install) install=no ;;
        --dry-run) dry=yes ;;
        --)
            shift
            options=("$@")
            break
            ;;
        -h | --help)
            print_help "scripts/train_mac.sh"
            exit 0
            ;;
        *) wrong_use "unknown option $1" ;;
    esac
    shift
done
[ -z "$input" ] || [ -f "$input" ] || fail "there is no file $input"
[ "$dry" = yes ] || [ -z "$memory" ] || wrong_use "--memory=$memory goes with --dry-run only"
case "$memory" in *[!0-9]* | 0*) wrong_use "--memory=$memory is no whole number of GB, from 1 on" ;; esac

if [ "$(uname -s)" != Darwin ]; then
    [ "$dry" = yes ] || fail "this is for macOS; here: scripts/quickstart.sh, or --dry-run --memory=16 to see what it would do"
    [ -n "$memory" ] || wrong_use "--dry-run needs --memory=N where sysctl hw.memsize does not say it"
fi
[ -n "$memory" ] || memory=$(($(sysctl -n hw.memsize) / 1073741824))

if [ -n "$preset" ]; then
    note "$memory GB of memory; preset $preset, as asked"
else
    if [ "$memory" -lt 16 ]; then
        preset=tiny
    elif [ "$memory" -lt 32 ]; then
        preset=small
    else
        preset=medium
    fi
    note "$memory GB of memory: preset $preset (--preset=NAME takes another)"
fi

# run COMMAND…: runs it, or prints it in a dry run.
run() {
    if [ "$dry" = yes ]; then
        printf '%q ' "$@"
        echo
    else
        "$@"
    fi
}

folder=out-mac
if [ "$dry" = yes ]; then
    echo 'swift build -c release --product ddp-train'
    ddp_train=.build/release/ddp-train
else
    require_swift
    install_libraries "$install"
    build_release
fi

if [ -d "$folder/checkpoints" ]; then
    [ -z "$input" ] || fail "$folder holds a run: leave --input out to go on with it, or move the folder away"
    note "$folder holds a run, which goes on with its own options"
    train=(train --out_dir="$folder" --init_from=resume)
else
    train=(train --preset="$preset" --out_dir="$folder")
    if [ -n "$input" ]; then
        run "$ddp_train" prepare --input "$input" --name mac --tokenizer=char --data_dir data --overwrite
        train+=(--dataset=mac)
    fi
fi
train+=(${options[@]+"${options[@]}"})

run "$ddp_train" plan "${train[@]:1}"
[ "$dry" = yes ] || note "training; Ctrl-C saves and ends it, and the same command goes on from there"
status=0
run "$ddp_train" "${train[@]}" || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 75 ] || exit "$status" # 75: stopped by a signal after saving
run "$ddp_train" sample --out_dir="$folder" --num_samples=1 --max_new_tokens=300
