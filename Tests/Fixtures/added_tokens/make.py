"""Writes cases.json: tokenizers with added tokens of all kinds, and what PyPI's tokenizers makes of texts with them.

    pip install tokenizers==0.23.3 && python3 Tests/Fixtures/added_tokens/make.py

`tokenizer` is a tokenizer.json without added tokens; each case adds its own, and has ids with special tokens (`ids`) and with
these as text (`ordinary`).
"""

import json
import pathlib
import random

import tokenizers

FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
MERGES = ["t h", "th e", "\u0120 the", "h e", "\u0120 a", "! !"]
CONTENTS = [
    "<m>", "m>", "the", " the", "the other", "he", "a", "!", "!!", "  ", "\n", "\u00e9", "\u00e9a", "<", "_x", "\u3000", "'s", "12",
    "\u0120the", "[PAD]", "</s>",
]
JOINS = ["", "", " ", "  ", "\n", "\t ", "\u3000", "_", "-", "\u0301", "\u200d", ".", "\u0663", "\U0001F44D"]


def vocabulary():
    printable = [byte for byte in range(256) if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte]
    others = [byte for byte in range(256) if byte not in printable]
    names = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
    for merge in MERGES:
        name = merge.replace(" ", "")
        if name not in names:
            names.append(name)
    return {name: id for id, name in enumerate(names)}


def tokenizer(vocabulary):
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
        "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocabulary, "merges": MERGES,
    }
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": level,
        "post_processor": None, "decoder": level, "model": model,
    }


def added(vocabulary, *tokens):
    result = []
    for content, *flags in tokens:
        new = len(vocabulary) + sum(token["content"] not in vocabulary for token in result)
        result.append({"id": vocabulary.get(content, new), "content": content, **{flag: flag in flags for flag in FLAGS}})
    return result


def case(base, tokens, texts):
    file = tokenizers.Tokenizer.from_str(json.dumps({**base, "added_tokens": tokens}))
    result = []
    for text in texts:
        file.encode_special_tokens = False
        ids = file.encode(text).ids
        file.encode_special_tokens = True
        result.append({"text": text, "ids": ids, "ordinary": file.encode(text).ids})
    return {"added_tokens": tokens, "texts": result}


def main():
    words = vocabulary()
    base = tokenizer(words)
    by_hand = [
        ([("<|endoftext|>", "special")], ["<|endoftext|>", "a<|endoftext|> the", "<|endoftext|", "a <|endoftext|><|endoftext|>"]),
        ([("the",)], ["the other the", "another", " the"]),
        ([("<m>", "lstrip", "special")], ["a  <m> the", "<m>", " \n<m>", "a<m>"]),
        ([("<m>", "rstrip")], ["a <m>  the", "<m> ", "<m>\u3000\u00a0\na", "<m> <m>"]),
        ([("<m>", "lstrip", "rstrip"), ("</s>", "lstrip", "special")], ["a <m> </s> the", "<m>  <m>", " </s> <m> </s>"]),
        ([("the", "single_word")], ["the other", "then the", "_the the_", "the\u0301 the", "the.the,the", "\u00e9the the1"]),
        ([("<m>",), ("<m>a", "normalized"), ("m>", "normalized")], ["<m>a", "m>a", "<<m>a"]),
        ([("he", "normalized"), ("the", "special"), ("a",)], ["the he a", "thehea"]),
        ([("<m>", "special"), ("m>a",)], ["<m>a", "m>a <m>"]),
        ([("!",), ("\u00e9",), ("\u0120the", "special")], ["a!!! \u00e9 \u0120the the"]),
        ([("<m>", "rstrip"), ("  ",)], ["a<m>     a", "<m>   the"]),
        ([("a b",), ("a b c d",), ("b c",)], ["a b c", "a b c d", "xa b c e"]),
    ]
    cases = [case(base, added(words, *tokens), texts) for tokens, texts in by_hand]
    r = random.Random(1)
    while len(cases) < 40:
        tokens = [
            (content, *[flag for flag in FLAGS if r.random() < (0.5 if flag in FLAGS[3:] else 0.2)])
            for content in ["<|endoftext|>", *r.sample(CONTENTS, r.randint(1, 6))]
        ]
        contents = [token[0] for token in tokens]
        text = "".join(r.choice(contents * 2 + CONTENTS) + r.choice(JOINS) for _ in range(40))
        try:
            cases.append(case(base, added(words, *tokens), [text]))
        except BaseException as error:
            # It panics where a token begins within the white space that the one before it took, and takes some itself.
            if type(error).__name__ != "PanicException":
                raise
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    path = pathlib.Path(__file__).parent / "cases.json"
    path.write_text(f'{{"tokenizer": {json.dumps(base)},\n"cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
