#!/usr/bin/env bash
# Installs the program for a user: itself, completions for bash, zsh and fish, and its man pages.
#
#   scripts/install.sh [--prefix FOLDER] [--no-install] [--no-man]
#
#   --prefix FOLDER   where to (default: ~/.local; /usr/local, as root, is for all users)
#   --no-install      install no system libraries; say what is missing
#   --no-man          leave out the man pages, whose generator takes a minute to build
#
# Completions are what `ddp-train --generate-completion-script SHELL` prints, man pages what the argument parser's plugin
# makes of the commands' help.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

prefix="$HOME/.local"
install=yes
man=yes
while [ $# -gt 0 ]; do
    case "$1" in
        --prefix)
            [ $# -gt 1 ] || wrong_use "--prefix needs a folder"
            prefix="$(user_path "$2")"
            shift
            ;;
        --prefix=*) prefix="$(user_path "${1#--prefix=}")" ;;
        --no-install) install=no ;;
        --no-man) man=no ;;
        -h | --help)
            print_help "scripts/install.sh"
            exit 0
            ;;
        *) wrong_use "unknown option $1" ;;
    esac
    shift
done

require_swift
install_libraries "$install"
build_release

share="$prefix/share"
mkdir -p "$prefix/bin" "$share/bash-completion/completions" "$share/zsh/site-functions" "$share/fish/vendor_completions.d"
# Under another name first: a program that runs cannot be written to, but it can be replaced.
cp "$ddp_train" "$prefix/bin/.ddp-train.new"
mv "$prefix/bin/.ddp-train.new" "$prefix/bin/ddp-train"
"$ddp_train" --generate-completion-script bash > "$share/bash-completion/completions/ddp-train"
"$ddp_train" --generate-completion-script zsh > "$share/zsh/site-functions/_ddp-train"
"$ddp_train" --generate-completion-script fish > "$share/fish/vendor_completions.d/ddp-train.fish"
if [ "$man" = yes ]; then
    note "making the man pages (the first time takes a minute)"
    swift package plugin generate-manual --multi-page >&2
    mkdir -p "$share/man/man1"
    cp .build/plugins/GenerateManual/outputs/ddp-train/*.1 "$share/man/man1/"
fi
note "installed $prefix/bin/ddp-train"
case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) note "$prefix/bin is not on the PATH: add it, as by export PATH=\"$prefix/bin:\$PATH\"" ;;
esac
