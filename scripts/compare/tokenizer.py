"""Byte pairs of ddp-train beside tiktoken's, tokenizers' and rustbpe's; started by tokenizer.sh."""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time

VOCABULARY = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"
SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SPACES = [chr(value) for value in (*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F,
                                   0x205F, 0x3000, *range(0x1C, 0x20), 0x180E, 0x200B, 0xFEFF)]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'RE", "\u2019s", "''s", "'", "'l", "'r", "'v", "'\u017f"]
WORDS = """the of and to in is that was for on as with be by at from or an are this which but not have had his they were one all
we their has would what will there if can more when who been some could time very than its then two into only""".split()
INVALID = [b"\xff", b"\xc3", b"\xe2\x80", b"\xf0\x9f\x98", b"\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf"]


def is_scalar(value):
    return not 0xD800 <= value < 0xE000


def difficult(seed, size):
    """Text of all scripts, emoji, combining marks, every white space, contractions and long runs, by a seed."""
    r = random.Random(seed)
    pieces, length = [], 0
    while length < size:
        kind = r.random()
        if kind < 0.25:
            piece = " ".join(r.choice(WORDS) for _ in range(r.randint(1, 12)))
            piece = (piece.title() if r.random() < 0.3 else piece) + r.choice(CONTRACTIONS + ["", ".", ", ", " ", "\n"])
        elif kind < 0.5:
            # 128 scalars of anywhere: a script or a part of one, assigned or not.
            block = r.choice((r.randrange(0, 0x600), r.randrange(0, 0x3200), r.randrange(0, 0x20000), r.randrange(0, 0x110000)))
            values = [block & ~127 | r.randrange(128) for _ in range(r.randint(1, 20))]
            piece = "".join(chr(value) for value in values if is_scalar(value))
        elif kind < 0.55:
            piece = "".join(chr(value) for value in (r.randrange(0x110000) for _ in range(5)) if is_scalar(value))
        elif kind < 0.65:
            piece = "".join(r.choice(SPACES) for _ in range(r.randint(1, 6)))
        elif kind < 0.7:
            unit = r.choice([" ", "\n", "\t", "a", "\u00e9", "\u754c", "1", "!", "=", "e\u0301", "\U0001F44D\U0001F3FD"])
            piece = unit * r.choice([2, 10, 64, 65, 200, 3000] if r.random() < 0.05 else [2, 5, 20])
        elif kind < 0.8:
            piece = r.choice(CONTRACTIONS) * r.randint(1, 3) + r.choice(["", "a", "re", "s ", "1"])
        elif kind < 0.9:
            piece = str(r.randrange(10 ** r.randint(1, 30))) + r.choice(["", " ", ".", "\u0663", "\u00bd", "\u2167"])
        elif kind < 0.95:
            piece = "".join(r.choice("abcdefg'!? \n1\u00e9\u0301\U0001F469\u200d\U0001F52C") for _ in range(r.randint(1, 30)))
        else:
            piece = "e" + "".join(chr(r.randrange(0x300, 0x370)) for _ in range(r.randint(1, 8)))
        pieces.append(piece)
        length += len(piece.encode())
    return "".join(pieces)


def broken(seed, size):
    """The same with bytes that are not UTF-8 in between."""
    r = random.Random(seed)
    data = difficult(seed, size).encode()
    parts, start = [], 0
    while start < len(data):
        end = start + r.randint(1, 400)
        parts += [data[start:end], r.choice(INVALID) if r.random() < 0.9 else r.randbytes(r.randint(1, 30))]
        start = end
    return b"".join(parts)


def source_code(size):
    """Text that people wrote: Python's own library, repeated if it is shorter."""
    texts, length = [], 0
    for path in sorted(pathlib.Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        texts.append(text)
        length += len(text.encode())
    text = "".join(texts)
    return (text * (size // length + 1)).encode()[:size].decode(errors="ignore")


class Program:
    """ddp-train tokenizer."""

    def __init__(self, path):
        self.path = path

    def run(self, *arguments, input=None):
        return subprocess.run([self.path, "tokenizer", *arguments], check=True, stdout=subprocess.PIPE, input=input).stdout

    def encode(self, tokenizer, file, *options):
        return [int(word) for word in self.run("encode", f"--tokenizer={tokenizer}", f"--input={file}", *options).split()]

    def refusal(self, tokenizer, file):
        """The line with which the tokenizer is refused; None if it is not."""
        command = [self.path, "tokenizer", "encode", f"--tokenizer={tokenizer}", f"--input={file}", "--special_tokens"]
        result = subprocess.run(command, capture_output=True, text=True)
        return None if result.returncode == 0 else f"exit code {result.returncode}: {result.stderr.strip()}"

    def encode_seconds(self, tokenizer, file, threads):
        result = json.loads(self.run("info", f"--tokenizer={tokenizer}", f"--input={file}", f"--threads={threads}", "--json"))
        return result["encode_seconds"], result["text_tokens"]


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


def check(what, ours, theirs):
    if ours == theirs:
        print(f"  {what}: the same {len(theirs)} ids", flush=True)
        return True
    place = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), min(len(ours), len(theirs)))
    print(f"  {what}: DIFFERENT from id {place} on: ours {ours[place:place + 5]}, theirs {theirs[place:place + 5]}")
    return False


def compare_ids(program, gpt2, encoding, shakespeare, folder, megabytes):
    print("ids beside tiktoken's encode_ordinary")
    border = int(len(shakespeare) * 0.9)
    agree = True
    for name, text, count in [("train", shakespeare[:border], 301_966), ("val", shakespeare[border:], 36_059)]:
        theirs = encoding.encode_ordinary(text)
        assert len(theirs) == count, f"tiny shakespeare's {name} split has {len(theirs)} tokens"
        agree = check(f"tiny shakespeare, {name}", program.encode(gpt2, write(folder, "text", text)), theirs) and agree
    tokens = size = 0
    piece = min(10, megabytes)
    for seed in range(megabytes // piece):
        text = difficult(seed, piece * 1_000_000)
        ours, theirs = program.encode(gpt2, write(folder, "text", text)), encoding.encode_ordinary(text)
        if ours != theirs:
            agree = check(f"difficult text of seed {seed}", ours, theirs)
        tokens, size = tokens + len(theirs), size + len(text.encode())
    print(f"  {size / 1e6:.0f} MB of difficult text: {'the same' if agree else 'NOT the same'} {tokens} ids", flush=True)
    data = broken(1, 5_000_000)
    path = write(folder, "broken", data)
    ids = program.run("encode", f"--tokenizer={gpt2}", f"--input={path}")
    back = program.run("decode", f"--tokenizer={gpt2}", input=ids)
    print(f"  {len(data) / 1e6:.0f} MB with invalid bytes: {'come back as they were' if back == data else 'DO NOT COME BACK'}")
    return agree and back == data


def compare_speed(program, gpt2, encoding, shakespeare, folder, pairs):
    print("seconds of encoding; tiktoken's encode_ordinary on one thread")
    for name, text in [
        ("tiny shakespeare 40 times", shakespeare * 40), ("source code", source_code(40_000_000)),
        ("difficult text", difficult(1, 10_000_000)),
    ]:
        path = write(folder, "text", text)
        size = len(text.encode()) / 1e6
        one, two = [], []
        best = [float("inf")] * 3
        for pair in range(pairs):
            def theirs():
                start = time.perf_counter()
                ids = encoding.encode_ordinary(text)
                return time.perf_counter() - start, len(ids)

            def ours(threads):
                return program.encode_seconds(gpt2, path, threads)
            # Each goes first as often as the others.
            runs = [theirs, lambda: ours(1), lambda: ours(2)]
            order = [(pair + step) % 3 for step in range(3)]
            results = {index: runs[index]() for index in order}
            assert len({count for _, count in results.values()}) == 1, "the numbers of tokens differ"
            seconds = [results[index][0] for index in range(3)]
            one.append(seconds[0] / seconds[1])
            two.append(seconds[1] / seconds[2])
            best = [min(pair) for pair in zip(best, seconds)]
            print(f"  {name}: tiktoken {seconds[0]:.3f}, ddp-train {seconds[1]:.3f}, on two threads {seconds[2]:.3f}", flush=True)
        print(f"  {name}, {size:.1f} MB: {statistics.median(one):.2f} times tiktoken's speed ({min(one):.2f} to {max(one):.2f}), "
              f"two threads {statistics.median(two):.2f} times one ({min(two):.2f} to {max(two):.2f}); best: tiktoken "
              f"{size / best[0]:.1f}, ddp-train {size / best[1]:.1f} and {size / best[2]:.1f} MB/s")


def compare_training(program, folder, megabytes, pairs):
    import rustbpe
    import tiktoken
    import tokenizers
    from tiktoken.load import load_tiktoken_bpe
    from tiktoken_ext.openai_public import r50k_pat_str

    size = megabytes * 1_000_000
    text = source_code(size * 7 // 10) + difficult(3, size * 3 // 10)
    path = write(folder, "training", text)
    print(f"training 8,192 tokens on {len(text.encode()) / 1e6:.0f} MB: source code, and 3 tenths of difficult text")
    # rustbpe needs several strings to use several cores; between a letter and a space GPT-2's pattern always splits.
    texts, start = [], 0
    while start < len(text):
        end = start + 100_000
        while end < len(text) and not (text[end] == " " and text[end - 1].isascii() and text[end - 1].isalpha()):
            end += 1
        texts.append(text[start:end])
        start = end
    output = os.path.join(folder, "trained")
    ratios = []
    for pair in range(pairs):
        def theirs():
            trainer = rustbpe.Tokenizer()
            start = time.perf_counter()
            trainer.train_from_iterator(iter(texts), 8191, pattern=r50k_pat_str)
            return time.perf_counter() - start, trainer

        def ours():
            start = time.perf_counter()
            program.run("train", "--vocab_size=8192", "--input", path, f"--output={output}", "--overwrite")
            return time.perf_counter() - start
        if pair % 2 == 0:
            reference, trainer = theirs()
            seconds = ours()
        else:
            seconds = ours()
            reference, trainer = theirs()
        ratios.append(seconds / reference)
        print(f"  rustbpe {reference:.2f} s, ddp-train {seconds:.2f} s: {ratios[-1]:.2f} times its time", flush=True)
    print(f"  median of {len(ratios)} pairs: {statistics.median(ratios):.2f} times rustbpe's time")
    ranks = load_tiktoken_bpe(output + "/tokenizer.tiktoken")
    merged = [bytes(token) for token, rank in sorted(trainer.get_mergeable_ranks(), key=lambda item: item[1]) if rank > 255]
    agree = merged == sorted((token for token in ranks if len(token) > 1), key=ranks.get)
    print(f"  {'the same' if agree else 'NOT the same'} {len(merged)} merged tokens as rustbpe's")

    sample = difficult(9, 1_000_000) + source_code(1_000_000)
    ours = program.encode(output, write(folder, "text", sample))
    encoding = tiktoken.Encoding(
        name="trained", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 8191}
    )
    agree = check("tiktoken with tokenizer.tiktoken", ours, encoding.encode_ordinary(sample)) and agree
    # tokenizers' own tables are of another version of Unicode: source code only.
    sample = source_code(2_000_000)
    ours = program.encode(output, write(folder, "text", sample))
    read = tokenizers.Tokenizer.from_file(output + "/tokenizer.json")
    agree = check("tokenizers with tokenizer.json", ours, read.encode(sample).ids) and agree
    assert read.token_to_id("<|endoftext|>") == 8191 and read.decode(ours) == sample
    pair = tokenizers.ByteLevelBPETokenizer(output + "/vocab.json", output + "/merges.txt")
    return check("tokenizers with vocab.json and merges.txt", ours, pair.encode(sample).ids) and agree


END = "<|endoftext|>"
CONTENTS = ["<m>", "m>", "the", " the", "he", "the other", "a", "!", "  ", " ", "\n", "\u00e9", "\u00e9a", "<", "_x",
            "\u3000", "1", "12", "'s", "\u754c", "[PAD]", "\u0120the", "ther"]
JOINS = ["", "", " ", "  ", "\n", "\t ", "\u3000", "\u00a0", "_", "-", "\u0301", "\u200d", ".", "\u0663"]
TOKEN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}


def random_added_tokens(r, vocabulary):
    tokens = []
    for content in [END, *r.sample(CONTENTS, r.randint(1, 8))]:
        flags = {name: r.random() < (0.5 if name in ("normalized", "special") else 0.2) for name in TOKEN}
        new = len(vocabulary) + sum(token["content"] not in vocabulary for token in tokens)
        tokens.append({"id": vocabulary.get(content, new), "content": content, **flags})
    return tokens


def compare_added_tokens(program, folder, rounds):
    """Tokenizers with random added tokens: the ids of tokenizers, or none. tokenizers' Unicode is that of old scripts here."""
    import tokenizers

    text = source_code(200_000)
    output = os.path.join(folder, "base")
    program.run("train", "--vocab_size=400", "--input", write(folder, "text", text), f"--output={output}", "--overwrite")
    base = json.loads(pathlib.Path(output, "tokenizer.json").read_text(encoding="utf-8"))
    print(f"{rounds} tokenizers with random added tokens, beside tokenizers {tokenizers.__version__}")
    agree, count = True, 0
    for seed in range(rounds):
        r = random.Random(seed)
        file = {**base, "added_tokens": random_added_tokens(r, base["model"]["vocab"])}
        path = write(folder, "tokenizer.json", json.dumps(file))
        theirs = tokenizers.Tokenizer.from_file(path)
        contents = [token["content"] for token in file["added_tokens"]]
        text = "".join(r.choice(contents * 3 + CONTENTS + WORDS) + r.choice(JOINS) for _ in range(2000))
        for special in (True, False):
            theirs.encode_special_tokens = not special
            try:
                expected = theirs.encode(text).ids
            except BaseException as error:
                # It panics where a token begins within the white space that the one before it took, and takes some itself.
                if type(error).__name__ != "PanicException":
                    raise
                continue
            ours = program.encode(path, write(folder, "text", text), *(["--special_tokens"] if special else []))
            count += len(expected)
            if ours != expected:
                agree = check(f"seed {seed}, special tokens {special}: {file['added_tokens']}", ours, expected) and agree
    print(f"  {'the same' if agree else 'NOT the same'} {count} ids", flush=True)
    return compare_other_members(program, folder, base) and agree


def compare_other_members(program, folder, base):
    """Members of tokenizer.json that may change ids: the ids of tokenizers, or a refusal."""
    import tokenizers

    level, end = base["pre_tokenizer"], base["added_tokens"][0]
    template = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {}}
    adds = {**template, "single": template["single"] + [{"SpecialToken": {"id": end["content"], "type_id": 0}}],
            "special_tokens": {end["content"]: {"id": end["content"], "ids": [end["id"]], "tokens": [end["content"]]}}}
    bert = {"type": "BertProcessing", "sep": [end["content"], end["id"]], "cls": [end["content"], end["id"]]}
    processing = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    variants = [
        ("nothing", {}, {}),
        ("add_prefix_space", {"pre_tokenizer": {**level, "add_prefix_space": True}}, {}),
        ("no regex", {"pre_tokenizer": {**level, "use_regex": False}}, {}),
        ("Whitespace", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, level]}}, {}),
        ("Digits", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, level]}}, {}),
        ("two ByteLevels", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [level, level]}}, {}),
        ("NFKC", {"normalizer": {"type": "NFKC"}}, {}),
        ("Lowercase", {"normalizer": {"type": "Lowercase"}}, {}),
        ("Prepend", {"normalizer": {"type": "Prepend", "prepend": "x"}}, {}),
        ("post-processor ByteLevel", {"post_processor": processing}, {}),
        ("template that adds nothing", {"post_processor": template}, {}),
        ("template", {"post_processor": adds}, {}),
        ("BertProcessing", {"post_processor": bert}, {}),
        ("RobertaProcessing", {"post_processor": {**bert, "type": "RobertaProcessing", "trim_offsets": True, "add_prefix_space": False}}, {}),
        ("templates in a sequence", {"post_processor": {"type": "Sequence", "processors": [processing, adds]}}, {}),
        ("dropout", {}, {"dropout": 0.5}),
        ("byte_fallback", {}, {"byte_fallback": True}),
        ("ignore_merges", {}, {"ignore_merges": True}),
        ("unk_token", {}, {"unk_token": end["content"], "fuse_unk": True}),
        ("continuing_subword_prefix", {}, {"continuing_subword_prefix": "##"}),
        ("end_of_word_suffix", {}, {"end_of_word_suffix": "</w>"}),
        ("added tokens in another order", {"added_tokens": [end, {**TOKEN, "id": 401, "content": "[1]"}, {**TOKEN, "id": 400, "content": "[2]"}]}, {}),
        ("an added token with another id", {"added_tokens": [end, {**TOKEN, "id": 400, "content": "!"}]}, {}),
        ("an added token beyond the next id", {"added_tokens": [end, {**TOKEN, "id": 500, "content": "[1]"}]}, {}),
    ]
    text = write(folder, "text", "The one, two  and 3\u00bd of it! don't \uff21b\n the others <|endoftext|> 1234\n")
    agree = True
    for name, members, model in variants:
        path = write(folder, "tokenizer.json", json.dumps({**base, **members, "model": {**base["model"], **model}}))
        refusal = program.refusal(path, text)
        if refusal:
            isOneLine = refusal.startswith("exit code 65: ddp-train: error: cannot use the tokenizer ") and "\n" not in refusal
            print(f"  {name}: {'refused' if isOneLine else 'REFUSED OTHERWISE'}, {refusal[refusal.rfind(path) + len(path) + 2:]}")
            agree = agree and isOneLine
        else:
            expected = tokenizers.Tokenizer.from_file(path).encode(pathlib.Path(text).read_text(encoding="utf-8")).ids
            agree = check(name, program.encode(path, text, "--special_tokens"), expected) and agree
    return agree


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--data")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", choices=["ids", "speed", "training", "added"])
    parser.add_argument("--rounds", type=int, default=100, help="tokenizers with random added tokens")
    options = parser.parse_args()

    program = Program(options.program)
    agree = True
    with tempfile.TemporaryDirectory() as folder:
        gpt2 = "gpt2"
        if options.data:
            data = os.path.abspath(options.data)
            os.environ["TIKTOKEN_CACHE_DIR"] = folder
            for name in ["vocab.bpe", "encoder.json"]:
                # tiktoken looks for a file under the hash of its address.
                shutil.copy(f"{data}/gpt2/{name}", f"{folder}/{hashlib.sha1((VOCABULARY + name).encode()).hexdigest()}")
            # Alone, so that ids are seen not to need encoder.json.
            gpt2 = shutil.copy(f"{data}/gpt2/vocab.bpe", f"{folder}/vocab.bpe")
            shakespeare = pathlib.Path(f"{data}/tinyshakespeare/input.txt").read_text(encoding="utf-8")
        elif options.only not in ("training", "added"):
            shakespeare = subprocess.run(
                ["curl", "--fail", "--silent", "--show-error", SHAKESPEARE], check=True, stdout=subprocess.PIPE, text=True
            ).stdout
        if options.only not in ("training", "added"):
            import tiktoken

            print(f"tiktoken {tiktoken.__version__}")
            encoding = tiktoken.get_encoding("gpt2")
        if options.only in (None, "ids"):
            agree = compare_ids(program, gpt2, encoding, shakespeare, folder, options.megabytes)
        if options.only in (None, "speed"):
            compare_speed(program, gpt2, encoding, shakespeare, folder, options.pairs)
        if options.only in (None, "training"):
            agree = compare_training(program, folder, options.megabytes, min(3, options.pairs)) and agree
        if options.only in (None, "added"):
            agree = compare_added_tokens(program, folder, options.rounds) and agree
    if not agree:
        sys.exit("error: ids differ")


if __name__ == "__main__":
    main()
