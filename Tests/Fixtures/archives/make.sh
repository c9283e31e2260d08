#!/usr/bin/env bash
# Makes the archives of this folder, which the tests of Sources/Preparation/Readers read. Needs GNU tar, gzip, xz, zstd,
# bzip2, lz4 and zip.
#
# Document n is the line "Document n of the archive." so often that it is 100 n + 1 lines long.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
folder="$PWD"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

document() { for _ in $(seq "$((100 * $1 + 1))"); do echo "Document $1 of the archive."; done; }
pack() { tar --sort=name --owner=0 --group=0 --mtime=@0 --format=ustar -cf "$@"; }

# As OpenWebText: a tar.xz of xz members, which are tars of documents.
mkdir openwebtext
for member in 0 1 2; do
    mkdir "m$member"
    for n in 0 1 2; do document "$((3 * member + n))" > "m$member/$n.txt"; done
    printf 'not for readers' > "m$member/._0.txt"
    (cd "m$member" && pack ../member.tar .)
    xz -c member.tar > "openwebtext/urlsf_subset00-${member}_data.xz"
done
pack nested.tar openwebtext
xz -k nested.tar
cp nested.tar.xz "$folder"

# The same documents, flat.
mkdir flat
for n in 0 1 2 3 4 5 6 7 8; do document "$n" > "flat/$n.txt"; done
pack flat.tar flat
gzip -nc flat.tar > "$folder/flat.tar.gz"
zstd -qf flat.tar -o "$folder/flat.tar.zst"
rm -f "$folder/flat.zip"
zip -qX "$folder/flat.zip" flat/*

# One text, compressed.
document 8 > text.txt
gzip -nc text.txt > "$folder/text.txt.gz"
xz -c text.txt > "$folder/text.txt.xz"
zstd -qf text.txt -o "$folder/text.txt.zst"
bzip2 -c text.txt > "$folder/text.txt.bz2"
lz4 -qc text.txt > "$folder/text.txt.lz4"

# Damaged in the second of three members: bytes within the inner xz changed, the outer one whole.
member=openwebtext/urlsf_subset00-1_data.xz
printf '\xff\xff\xff\xff' | dd of="$member" bs=1 seek="$(($(stat -c %s "$member") / 2))" conv=notrunc status=none
pack damaged.tar openwebtext
xz -c damaged.tar > "$folder/damaged.tar.xz"
