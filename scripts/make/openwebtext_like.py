#!/usr/bin/env python3
"""Writes an archive in the form of OpenWebText's: a tar.xz of xz members, each of which is a tar of .txt documents.

  scripts/make/openwebtext_like.py --size 2G --output openwebtext.tar.xz [--seed 1] [--jobs N]

The text is made up, but looks like text: words of syllables, drawn as often as a word of that rank is in English, in sentences,
paragraphs and documents of the usual lengths. Size counts the text; the same seed and size give the same bytes, however many
processes make them. Needs nothing but Python.
"""

import argparse
import io
import itertools
import lzma
import multiprocessing
import os
import random
import tarfile

MEMBER_SIZE = 20_000_000
ONSETS = ["b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "ch", "sh", "th", "br", "pl", ""]
VOWELS = ["a", "e", "i", "o", "u", "ea", "ou", "ai", "e", "a"]
CODAS = ["", "", "", "n", "r", "s", "t", "l", "d", "ng", "ck", "nt", "st"]
FREQUENT = "the of and to a in is that it was for on are as with they at be this from I have or by one had not but".split()


def vocabulary(count):
    generator = random.Random(20240520)
    words = list(FREQUENT)
    known = set(words)
    while len(words) < count:
        syllables = generator.choices([1, 2, 3, 4], [2, 5, 4, 1])[0]
        word = "".join(
            generator.choice(ONSETS) + generator.choice(VOWELS) + generator.choice(CODAS) for _ in range(syllables)
        )
        if word not in known:
            known.add(word)
            words.append(word)
    return words


WORDS = vocabulary(40_000)
WEIGHTS = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(len(WORDS))))


def document(generator):
    paragraphs = []
    for _ in range(1 + int(generator.expovariate(1 / 8))):
        sentences = []
        for _ in range(generator.randint(1, 7)):
            words = generator.choices(WORDS, cum_weights=WEIGHTS, k=generator.randint(4, 28))
            if generator.random() < 0.1:
                words[-1] = str(generator.randint(1, 2030))
            if generator.random() < 0.05:
                words[0] = "\u201c" + words[0] + "\u201d"
            text = ", ".join(" ".join(words[start : start + 11]) for start in range(0, len(words), 11))
            sentences.append(text[0].upper() + text[1:] + generator.choice("....?!"))
        paragraphs.append(" ".join(sentences))
    return "\n\n".join(paragraphs) + "\n"


def member(task):
    """One of the archive's members: an xz of a tar of documents."""
    seed, index, size = task
    generator = random.Random(f"{seed} {index}")
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        written = number = 0
        while written < size:
            text = document(generator).encode()
            information = tarfile.TarInfo(f"{index:07d}-{generator.getrandbits(128):032x}.txt")
            information.size = len(text)
            tar.addfile(information, io.BytesIO(text))
            written += len(text)
            number += 1
    return lzma.compress(target.getvalue(), preset=0), number, written


def bytes_of(text):
    units = {"k": 10**3, "M": 10**6, "G": 10**9}
    return int(float(text[:-1]) * units[text[-1]]) if text[-1] in units else int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=bytes_of, default=bytes_of("200M"), help="of the text: a number with k, M or G")
    parser.add_argument("--output", required=True, help="the archive")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    arguments = parser.parse_args()

    sizes = [MEMBER_SIZE] * (arguments.size // MEMBER_SIZE)
    if arguments.size % MEMBER_SIZE:
        sizes.append(arguments.size % MEMBER_SIZE)
    tasks = [(arguments.seed, index, size) for index, size in enumerate(sizes)]
    documents = text = 0
    # What is compressed already is stored: xz has a form for it, which its lowest preset takes by itself.
    with lzma.open(arguments.output, "wb", preset=0) as compressed, tarfile.open(
        fileobj=compressed, mode="w|", format=tarfile.USTAR_FORMAT
    ) as tar, multiprocessing.Pool(arguments.jobs) as pool:
        folder = tarfile.TarInfo("openwebtext")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        for (_, index, _), (content, number, size) in zip(tasks, pool.imap(member, tasks)):
            information = tarfile.TarInfo(f"openwebtext/urlsf_subset{index // 1000:02d}-{index % 1000}_data.xz")
            information.size = len(content)
            tar.addfile(information, io.BytesIO(content))
            documents += number
            text += size
    size = os.path.getsize(arguments.output)
    print(f"{arguments.output}: {size} bytes, {len(tasks)} members, {documents} documents, {text} bytes of text")


if __name__ == "__main__":
    main()
