"""Writes this folder's fixtures: the same values by every protocol of Python's pickle.

    pip install numpy && python3 Tests/Fixtures/pickles/make.py

Written with Python 3.11 and numpy 2.4. `plain` is data; `objects` is what people keep beside it, whose classes the reader does not
have; `meta` is nanoGPT's meta.pkl in forms that people's scripts write.
"""
import argparse
import array
import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import pathlib
import pickle
import types
import typing
import uuid

import numpy

folder = pathlib.Path(__file__).parent


@dataclasses.dataclass
class Config:
    n_head: int = 4


@dataclasses.dataclass(slots=True)
class Slots:
    n_head: int = 4


class SlotsAndMore:
    __slots__ = ("n_head", "__dict__")


class AttributeDictionary(dict):
    pass


class Pair(typing.NamedTuple):
    a: int
    b: int


class Color(enum.Enum):
    RED = 1


class Mistake(Exception):
    pass


PLAIN = [
    None, True, False, 0, -5, 255, 65535, -2**31, 2**40, -2**63, 2**70, 1.5, float("-inf"), "é漢😀\n'\"\\", "", b"xy\xff",
    (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1], {"a": {"b": [1]}}, collections.OrderedDict([("x", 1), ("y", 2)]),
    numpy.int64(-7), numpy.uint16(65000), numpy.float32(0.5), numpy.float16(1.5), numpy.bool_(True), numpy.str_("né"),
    numpy.dtype(">i4").type(5).astype(">i4"),
]


def objects():
    both = SlotsAndMore()
    both.n_head, both.more = 4, 1
    itself = []
    itself.append(itself)
    shared = {"k": 1}
    # With an attribute n_head, in the ways that Python keeps attributes.
    configs = dict(dataclass=Config(), slots=Slots(), both=both, namespace=argparse.Namespace(n_head=4),
                   simple=types.SimpleNamespace(n_head=4), dictionary=AttributeDictionary(n_head=4),
                   default=collections.defaultdict(int, {"n_head": 4}))
    others = dict(path=pathlib.PurePosixPath("a/b"), time=datetime.datetime(2024, 1, 2), number=decimal.Decimal("1.5"),
                  color=Color.RED, pair=Pair(1, 2), partial=functools.partial(print, end=""), complex=1 + 2j, set={1},
                  frozen=frozenset([1]), array=numpy.arange(3), bytearray=bytearray(b"x"), type=numpy.float32,
                  dtype=numpy.dtype("f4"), range=range(3), deque=collections.deque([1]), error=Mistake("x"), uuid=uuid.UUID(int=5),
                  typed=array.array("d", [1.0]), function=len, date=numpy.datetime64("2020-01-01"), counter=collections.Counter("a"))
    return dict(configs=configs, others=others, first=shared, second=shared, itself=itself)


def metas():
    characters = sorted("\n héab")
    size = len(characters)
    yield "numpy", dict(vocab_size=numpy.int64(size), itos={numpy.int64(i): numpy.str_(c) for i, c in enumerate(characters)})
    yield "ordered", collections.OrderedDict(vocab_size=size, itos=collections.OrderedDict(enumerate(characters)))
    yield "list", dict(vocab_size=size, itos=characters, made=datetime.date(2024, 1, 2), path=pathlib.PurePosixPath("x"))
    yield "shared", dict(vocab_size=size, itos=(table := dict(enumerate(characters))), decoder=table)
    yield "namespace", argparse.Namespace(vocab_size=size, itos=dict(enumerate(characters)))


def main():
    for protocol in range(6):
        content = objects()
        if protocol < 2:  # Which cannot write slots.
            del content["configs"]["slots"], content["configs"]["both"]
        (folder / f"plain-{protocol}.pkl").write_bytes(pickle.dumps(PLAIN, protocol))
        (folder / f"objects-{protocol}.pkl").write_bytes(pickle.dumps(content, protocol))
    for protocol in [0, 2, 5]:
        for name, meta in metas():
            (folder / f"meta-{name}-{protocol}.pkl").write_bytes(pickle.dumps(meta, protocol))


if __name__ == "__main__":
    main()
