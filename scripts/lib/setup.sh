# shellcheck shell=bash
# Shared by the scripts beside this folder: finds the Swift toolchain, installs missing system libraries, builds.
# Source it from a script that has `set -euo pipefail`; it goes to the repository's root and leaves that in `root`, and
# where the user was in `started_in`.

started_in="$PWD"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$root" || exit 1

note() { printf '==> %s\n' "$*" >&2; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" > /dev/null 2>&1; }

# A path that the user gave, from where the user was.
user_path() {
    case "$1" in
        /*) echo "$1" ;;
        *) echo "$started_in/$1" ;;
    esac
}

# Prints a script's own leading comment, without the line that starts it: its help.
print_help() { awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$1"; }

# read_arguments "$@": what the scripts that measure have in common. Prints the help and ends where that is asked for; sets
# `install` (no after --no-install, else yes) and `arguments`, all the others, with the folder after --output, --data or --keep as a
# path from where the user was.
read_arguments() {
    install=yes arguments=()
    while [ $# -gt 0 ]; do
        case "$1" in
            -h | --help)
                print_help "scripts/$(basename "$0")"
                exit 0
                ;;
            --no-install)
                # shellcheck disable=SC2034 # used by the scripts that source this
                install=no
                ;;
            --output=* | --data=* | --keep=*) arguments+=("${1%%=*}" "$(user_path "${1#*=}")") ;;
            --output | --data | --keep)
                [ $# -gt 1 ] || fail "$1 needs a folder"
                arguments+=("$1" "$(user_path "$2")")
                shift
                ;;
            *) arguments+=("$1") ;;
        esac
        shift
    done
}

# Runs a command as root: with sudo only where it is needed.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        fail "installing needs root and there is no sudo: install $(missing_packages | paste -sd ' ' -) as root, then run this again"
    fi
}

require_swift() {
    have swift && return
    cat >&2 << 'HELP'
error: there is no Swift toolchain (`swift`) on the PATH. To get one (6.2 or later):
  Linux:  curl -fO "https://download.swift.org/swiftly/linux/swiftly-$(uname -m).tar.gz"
          tar zxf "swiftly-$(uname -m).tar.gz" && ./swiftly init
  macOS:  install Xcode, or swiftly from https://www.swift.org/install/macos
then open a new shell and run this again. All ways: https://www.swift.org/install
HELP
    exit 1
}

# The system packages that are missing here, by the names of the system's own package manager.
missing_packages() {
    case "$(uname -s)" in
        Darwin) # matrix products come from Accelerate there
            have mpicc || echo open-mpi
            pkg-config --exists libarchive 2> /dev/null || echo libarchive
            ;;
        *)
            have pkg-config || echo pkg-config
            pkg-config --exists openblas 2> /dev/null || echo libopenblas-dev
            pkg-config --exists ompi-c 2> /dev/null || echo libopenmpi-dev
            have mpirun || echo openmpi-bin
            pkg-config --exists libarchive 2> /dev/null || echo libarchive-dev
            ;;
    esac
}

# install_libraries yes|no: installs what is missing, or only says it.
install_libraries() {
    local install="$1" packages=()
    while IFS= read -r name; do packages+=("$name"); done < <(missing_packages)
    if [ "${#packages[@]}" -eq 0 ]; then
        note "OpenBLAS (or Accelerate), Open MPI and libarchive are here"
        return
    fi
    if [ "$install" = no ]; then
        note "missing, and not installed as asked: ${packages[*]}"
    elif have apt-get; then
        note "installing with apt: ${packages[*]}"
        as_root apt-get update -qq || note "apt-get update failed; going on with the package lists that are here"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
    elif have brew; then
        note "installing with brew: ${packages[*]}"
        brew install "${packages[@]}" >&2
    else
        note "neither apt nor brew is here; install what your system calls ${packages[*]}"
    fi
    if [ "$(uname -s)" != Darwin ] && ! pkg-config --exists openblas 2> /dev/null; then
        fail "OpenBLAS is needed and pkg-config does not find it (Debian, Ubuntu: apt-get install libopenblas-dev pkg-config)"
    fi
}

# Builds the release program and sets `ddp_train` to its path.
build_release() {
    note "building the program (the first time takes a few minutes)"
    swift build -c release --product ddp-train >&2
    # shellcheck disable=SC2034 # used by the scripts that source this
    ddp_train="$(swift build -c release --show-bin-path)/ddp-train"
}

# The folder of downloads, as the program knows it.
cache_folder() {
    if [ -n "${DDP_TRAIN_CACHE:-}" ]; then
        echo "$DDP_TRAIN_CACHE"
    elif [ "$(uname -s)" = Darwin ]; then
        echo "$HOME/Library/Caches/ddp-train"
    else
        echo "${XDG_CACHE_HOME:-$HOME/.cache}/ddp-train"
    fi
}

# require_pytorch yes|no [PACKAGE…]: sets `python` to one that has torch, numpy and the Python packages named: the one on the
# PATH, else one in a virtual environment in the cache folder (about 1 GB), where they are then installed if that is wanted.
require_pytorch() {
    local install="$1" venv missing
    shift
    has_modules() {
        "$1" -c 'import importlib.util, sys; sys.exit(any(importlib.util.find_spec(m) is None for m in sys.argv[1:]))' \
            torch numpy "${@:2}" 2> /dev/null
    }
    python=python3
    has_modules "$python" "$@" && return
    venv="$(cache_folder)/pytorch"
    python="$venv/bin/python"
    has_modules "$python" "$@" && return
    missing="torch, numpy${*:+, $*}"
    [ "$install" = yes ] || fail "python3 does not have all of $missing, and nothing is to be installed"
    note "installing $missing into $venv"
    python3 -m venv "$venv"
    # The build without CUDA is far smaller; not every index has it.
    "$python" -m pip install --quiet 'torch==2.13.0+cpu' || "$python" -m pip install --quiet 'torch==2.13.0'
    "$python" -m pip install --quiet numpy "$@"
}

# require_python yes|no NAME PACKAGE==VERSION…: sets `python` to one that has just these versions: the one on the PATH, else one
# in the virtual environment NAME in the cache folder, where they are then installed if that is wanted.
require_python() {
    local install="$1" venv
    venv="$(cache_folder)/$2"
    shift 2
    has_versions() {
        "$1" -c 'import importlib.metadata, sys
for wanted in sys.argv[1:]:
    name, version = wanted.split("==")
    assert importlib.metadata.version(name) == version' "${@:2}" 2> /dev/null
    }
    python=python3
    has_versions "$python" "$@" && return
    python="$venv/bin/python"
    has_versions "$python" "$@" && return
    [ "$install" = yes ] || fail "python3 does not have all of $*, and nothing is to be installed"
    note "installing $* into $venv"
    python3 -m venv "$venv"
    "$python" -m pip install --quiet "$@"
}

# require_browser yes|no: Chromium or Chrome, installed where it is missing and that is wanted. Python needs no packages for it.
require_browser() {
    has_browser() { python3 -c 'import sys; sys.path.insert(0, "scripts/lib"); import browser; sys.exit(not browser.find())'; }
    has_browser && return
    [ "$1" = yes ] || fail "there is no Chromium, and nothing is to be installed"
    if have apt-get; then
        note "installing with apt: chromium"
        as_root apt-get update -qq || note "apt-get update failed; going on with the package lists that are here"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2
    elif have brew; then
        note "installing with brew: chromium"
        brew install --cask chromium >&2
    fi
    has_browser || fail "there is no Chromium; install what your system calls chromium"
}
