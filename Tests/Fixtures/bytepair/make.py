"""Writes this folder's fixtures: a small vocabulary that rustbpe trains, and what tiktoken makes of texts with it.

    pip install tiktoken==0.14.0 rustbpe==0.1.0 && python3 Tests/Fixtures/bytepair/make.py

text.txt is generated (words, many scripts, white space, contractions); small.tiktoken are the merges that rustbpe finds in it
with GPT-2's pattern, in GPT-2's order of ids; cases.json has texts and tiktoken's ids for them.
"""

import base64
import json
import pathlib
import random

import rustbpe
import tiktoken
from tiktoken_ext.openai_public import r50k_pat_str

SIZE = 800
SPACES = [chr(value) for value in (9, 10, 11, 12, 13, 32, 0x85, 0xA0, 0x1680, 0x2003, 0x2028, 0x202F, 0x205F, 0x3000)]
# Not white space, though they look it: separators of U+001C to U+001F, zero width space, byte order mark.
NO_SPACES = ["\x1c", "\x1f", "\u200b", "\ufeff", "\u180e"]
BLOCKS = [
    (0x21, 0x7F), (0xC0, 0x250), (0x300, 0x370), (0x370, 0x400), (0x400, 0x460), (0x5D0, 0x5EB), (0x620, 0x670),
    (0x900, 0x970), (0xE01, 0xE5C), (0x1200, 0x1250), (0x2150, 0x2190), (0x2460, 0x2500), (0x3041, 0x3100),
    (0x4E00, 0x4E80), (0xAC00, 0xAC80), (0xFF00, 0xFF60), (0x10400, 0x10450), (0x1D400, 0x1D450), (0x1F600, 0x1F650),
    (0x20000, 0x20040),
]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "\u2019s", "''s", "'", "'r", "'l", "'v"]
WORDS = """the of and to in is that it was for on are as with his they at be this have from or one had by word but not what all
were we when your can said there use an each which she do how their if will up other about out many then them these so some her
would make like him into time has look two more write go see number no way could people""".split()


def piece(random):
    kind = random.random()
    if kind < 0.6:
        words = " ".join(random.choice(WORDS) for _ in range(random.randint(1, 9)))
        return words + random.choice(CONTRACTIONS + [".", ", ", " ", "\n"])
    if kind < 0.75:
        first, last = random.choice(BLOCKS)
        return " " * random.randint(0, 1) + "".join(chr(random.randrange(first, last)) for _ in range(random.randint(1, 8)))
    if kind < 0.85:
        return "".join(random.choice(SPACES + [" ", "\n"] + NO_SPACES) for _ in range(random.randint(1, 5)))
    if kind < 0.95:
        return random.choice(["", " "]) + str(random.randrange(10 ** random.randint(1, 9)))
    return random.choice([" ", "\n", "a", "=", "e\u0301", "\u754c"]) * random.randint(2, 90)


def text(seed, length):
    generator = random.Random(seed)
    pieces = []
    while sum(map(len, pieces)) < length:
        pieces.append(piece(generator))
    return "".join(pieces)


def main():
    folder = pathlib.Path(__file__).parent
    training = text(1, 30_000)
    (folder / "text.txt").write_bytes(training.encode())
    trainer = rustbpe.Tokenizer()
    trainer.train_from_iterator([training], SIZE - 1, pattern=r50k_pat_str)
    merged = [bytes(token) for token, rank in trainer.get_mergeable_ranks() if rank >= 256]
    printable = [byte for byte in range(256) if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte]
    order = printable + [byte for byte in range(256) if byte not in printable]
    tokens = [bytes([byte]) for byte in order] + merged
    assert len(set(tokens)) == len(tokens) == SIZE - 1
    (folder / "small.tiktoken").write_text(
        "".join(f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens))
    )
    encoding = tiktoken.Encoding(
        name="small", pat_str=r50k_pat_str, mergeable_ranks={token: rank for rank, token in enumerate(tokens)},
        special_tokens={"<|endoftext|>": SIZE - 1},
    )
    texts = [
        "", " ", "a", "  ", "the word", " the  word ", "\n\nthe", "\n \n the\n", "\t\tthe", "they're we've I'm she'll he'd it's",
        "THEY'RE 'Tis rock'n'roll ''s 's't 'stop", "don\u2019t", "12345 six7 8nine 1\u0663\u00bd\u2167", "a" * 1000, " " * 1000,
        "the" * 300, "\u754c" * 100, "=-" * 200, "e\u0301e\u0301 \u0301", "\U0001F469\u200d\U0001F52C \U0001F44D\U0001F3FD",
        "x\u3000y\u00a0z\u2028\u2028w", "x\x1cy\x1f \x1c", "<|endoftext|>", "the<|endoftext|>of",
    ] + [text(seed, 400) for seed in range(2, 12)]
    cases = [{"text": text, "ids": encoding.encode_ordinary(text)} for text in texts]
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    (folder / "cases.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
