"""Writes Sources/Tokenizers/BytePair/ScalarClass+Ranges.swift: which scalars are \\p{L}, \\p{N} and \\s to tiktoken.

    pip install tiktoken==0.14.0
    python3 scripts/make/scalar_classes.py

tiktoken itself is asked: an encoding whose pattern matches single letters drops all that is not one.
"""

import argparse
import os

VERSION = "0.14.0"
OUTPUT = "Sources/Tokenizers/BytePair/ScalarClass+Ranges.swift"


def members(pattern):
    import tiktoken

    encoding = tiktoken.Encoding(
        name="class", pat_str=pattern, mergeable_ranks={bytes([byte]): byte for byte in range(256)}, special_tokens={}
    )
    found = []
    # In pieces: a text of every scalar at once takes tiktoken very long.
    for start in range(0, 0x110000, 0x1000):
        text = "".join(chr(value) for value in range(start, start + 0x1000) if not 0xD800 <= value < 0xE000)
        found += [ord(scalar) for scalar in bytes(encoding.encode_ordinary(text)).decode()]
    return found


def ranges(values):
    result = []
    for value in values:
        if result and result[-1][1] + 1 == value:
            result[-1][1] = value
        else:
            result.append([value, value])
    return result


def swift(name, doc, values):
    found = ranges(values)
    lines = [f"    /// {doc}: {len(values)} scalars.", f"    static let {name}: [UInt32] = ["]
    line = ""
    for first, last in found:
        item = f"0x{first:X}, 0x{last:X},"
        if len(line) + len(item) > 108:
            lines.append("        " + line)
            line = ""
        line += (" " if line else "") + item
    lines += ["        " + line, "    ]"]
    return "\n".join(lines)


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    import tiktoken  # after --help, which does not need it

    assert tiktoken.__version__ == VERSION, f"tiktoken {tiktoken.__version__} is not {VERSION}"
    letters, numbers, spaces = members(r"\p{L}"), members(r"\p{N}"), members(r"\s")
    parts = [
        swift("letters", r"`\p{L}`", letters), swift("numbers", r"`\p{N}`", numbers), swift("spaces", r"`\s`", spaces),
    ]
    text = f"""// Made by scripts/make/scalar_classes.py from tiktoken {VERSION}; not edited by hand.

/// Ranges of scalars, each by its first and its last, ascending.
enum ScalarRanges {{
""" + "\n\n".join(parts) + "\n}\n"
    with open(os.path.join(os.path.dirname(__file__), "../..", OUTPUT), "w", encoding="ascii") as file:
        file.write(text)
    print(f"{len(letters)} letters, {len(numbers)} numbers, {len(spaces)} spaces")


if __name__ == "__main__":
    main()
