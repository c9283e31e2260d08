# shellcheck shell=bash
# Shared by all scripts: finds the Swift toolchain, installs missing system libraries, builds.
# Source it from a script that has `set -euo pipefail`; it goes to the repository's root and leaves that in `root`, where the
# user was in `started_in`, and the script's path from the root in `script`.

started_in="$PWD"
# -P: by whatever link the script is reached, its repository is the one that it lies in.
root="$(cd -P "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
script="$(cd -P "$(dirname "$0")" && pwd -P)/$(basename "$0")"
script="${script#"$root/"}"
cd "$root" || exit 1
# brew keeps its libarchive apart (keg-only), because macOS has one, though without headers: pkg-config has to be told.
if [ "$(uname -s)" = Darwin ] && command -v brew > /dev/null 2>&1; then
    PKG_CONFIG_PATH="$(brew --prefix)/opt/libarchive/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
    export PKG_CONFIG_PATH
fi

note() { printf '==> %s\n' "$*" >&2; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
# Wrong use of the script: one line, and the exit code that the program has for it too.
wrong_use() {
    printf 'error: %s; see %s --help\n' "$*" "$script" >&2
    exit 64
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
# path from where the user was. The usage in the script's heading says which options there are, [--name] or [--name VALUE]:
# anything else is refused before minutes of installing and building.
read_arguments() {
    local usage name value
    usage="$(print_help "$script" | awk '/^  scripts\// { inside = 1 } inside && !NF { exit } inside')"
    install=yes arguments=()
    while [ $# -gt 0 ]; do
        name="${1%%=*}"
        case "$1" in
            -h | --help)
                print_help "$script"
                exit 0
                ;;
            -*) ;;
            *) wrong_use "unexpected argument $1" ;;
        esac
        case "$usage" in
            *"[$1]"*)
                # shellcheck disable=SC2034 # used by the scripts that source this
                if [ "$1" = --no-install ]; then install=no; else arguments+=("$1"); fi
                ;;
            *"[$name "*)
                if [ "$name" != "$1" ]; then
                    value="${1#*=}"
                else
                    [ $# -gt 1 ] || wrong_use "$1 needs a value"
                    value="$2"
                    shift
                fi
                case "$name" in --output | --data | --keep) value="$(user_path "$value")" ;; esac
                arguments+=("$name" "$value")
                ;;
            *) wrong_use "unknown option $1" ;;
        esac
        shift
    done
}

# Runs a command as root: with sudo only where it is needed.
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

apt_install() {
    note "installing with apt: $*"
    [ "$(id -u)" -eq 0 ] || have sudo ||
        fail "installing needs root and there is no sudo: install $* as root, then run this again"
    as_root apt-get update -qq || note "apt-get update failed; going on with the package lists that are here"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
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
            have pkg-config || echo pkgconf # SwiftPM asks it where brew's libraries are
            have mpicc || echo open-mpi
            pkg-config --exists libarchive 2> /dev/null || echo libarchive
            ;;
        *)
            have pkg-config || echo pkg-config
            pkg-config --exists openblas 2> /dev/null || echo libopenblas-dev
            pkg-config --exists ompi-c 2> /dev/null || echo libopenmpi-dev
            have mpirun || echo openmpi-bin
            pkg-config --exists libarchive 2> /dev/null || echo libarchive-dev
            pkg-config --exists zlib 2> /dev/null || echo zlib1g-dev
            ;;
    esac
}

# install_libraries yes|no: installs what is missing, or only says it.
install_libraries() {
    local install="$1" packages=()
    while IFS= read -r name; do packages+=("$name"); done < <(missing_packages)
    if [ "${#packages[@]}" -eq 0 ]; then
        note "OpenBLAS (or Accelerate), Open MPI, libarchive and zlib are here"
        return
    fi
    if [ "$install" = no ]; then
        note "missing, and not installed as asked: ${packages[*]}"
    elif have apt-get; then
        apt_install "${packages[@]}"
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
        apt_install chromium
    elif have brew; then
        note "installing with brew: chromium"
        brew install --cask chromium >&2
    fi
    has_browser || fail "there is no Chromium; install what your system calls chromium"
}

# run_beside_pytorch PACKAGES "$@": what the scripts do whose Python file, of the same name, runs the program beside PyTorch: reads
# their arguments, sees to toolchain, libraries, PyTorch with those Python packages, and the program, and starts it.
run_beside_pytorch() {
    local packages
    read -ra packages <<< "$1"
    shift
    read_arguments "$@"
    require_swift
    install_libraries "$install"
    require_pytorch "$install" ${packages[@]+"${packages[@]}"}
    build_release
    "$python" "${script%.sh}.py" "$ddp_train" ${arguments[@]+"${arguments[@]}"}
}
