"""Streams that try a policy that learns: other orders, thinner, narrower, noisier ones, and some with nothing to find.

Each is made from the two streams and the pairs by a seed, so that a trial can be told apart from another and repeated.
Entry points: `trials`, and `made` for one stream.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .data import Folder, Stream
from .learned import hindsight, learning, swept
from .replay import Gate, Tally, Track
from .vectors import ranked, vectors

Maker = Callable[[Stream, random.Random], Stream]
NARROW = 15
"""Answers of a narrow stream: about as many as a domain of CLINC150 has."""
SHORT, MOST = 200, 4000
SOURCES = ("banking77", "clinc150", "pairs")


@dataclass(frozen=True, slots=True)
class Trial:
    """What budgets and thresholds do on a few streams of a kind."""

    source: str
    kind: str
    seeds: Sequence[int]
    budgets: Sequence[float]
    folder: Folder
    gate: Gate
    """Before the policy that learns."""
    gates: Sequence[Gate]
    """Before the thresholds."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a trial: by budget the tallies of its streams, and of the best threshold on the first of them."""

    trial: Trial
    tallies: tuple[tuple[Tally, ...], ...]
    best: tuple[Tally, ...]


def trials(
    folder: Folder, named: str, gate: Gate, gates: Sequence[Gate], seeds: Sequence[int], budgets: Sequence[float]
) -> Iterator[Tried]:
    """Try the kinds that are *named* so, of all sources, on all processors; yield them in the order of the tables."""
    kinds = [kind for kind in KINDS if named in kind]
    jobs = [Trial(source, kind, seeds, budgets, folder, gate, gates) for source in SOURCES for kind in kinds]
    with ProcessPoolExecutor() as pool:
        yield from pool.map(tried, jobs)


def tried(trial: Trial) -> Tried:
    """Replay the streams of a trial."""
    streams = [made(trial.folder, trial.source, trial.kind, seed) for seed in trial.seeds]
    known = _embedded(_source(trial.folder, trial.source))
    known |= _vectors(text for stream in streams for text in stream.texts if text not in known)
    tracks = [Track(stream, trial.gate, ranked(np.array([known[text] for text in stream.texts]))) for stream in streams]
    static = [tally for gate in trial.gates for tally in swept(replace(tracks[0], gate=gate, verdicts={}))]
    tallies = tuple(
        tuple(track.replay(learning(budget, seed)) for track, seed in zip(tracks, trial.seeds, strict=True))
        for budget in trial.budgets
    )
    return Tried(trial, tallies, tuple(hindsight(static, budget) for budget in trial.budgets))


def made(folder: Folder, source: str, kind: str, seed: int) -> Stream:
    """Return the stream of a *kind* in `KINDS`, made from *source*: a stream, or `pairs`."""
    chance = random.Random(zlib.crc32(f"{source} {kind} {seed}".encode()))  # noqa: S311 - an order, no secret
    return replace(KINDS[kind](_mixed(_source(folder, source), chance), chance), name=f"{source}, {kind}")


def _source(folder: Folder, source: str) -> Stream:
    return repeated(folder) if source == "pairs" else folder.stream(source)


def _embedded(stream: Stream) -> dict[str, NDArray[np.float32]]:
    """Return the vector of each text, computed once for all orders."""
    return _vectors(stream.texts)


def _vectors(texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    asked = sorted(set(texts))
    return dict(zip(asked, vectors(asked), strict=True)) if asked else {}


def _mixed(stream: Stream, chance: random.Random) -> Stream:
    return stream.picked(chance.sample(range(len(stream.texts)), len(stream.texts)))


def _kept(stream: Stream, keep: Callable[[str], bool]) -> Stream:
    return stream.picked([number for number, answer in enumerate(stream.answers) if keep(answer)])


def _share(share: float) -> Maker:
    """Keep a share of the questions."""
    return lambda stream, _: stream.picked(list(range(int(len(stream.texts) * share))))


def _half(stream: Stream, chance: random.Random) -> Stream:
    """Keep half of the answers."""
    names = sorted(set(stream.answers))
    chosen = set(chance.sample(names, len(names) // 2))
    return _kept(stream, chosen.__contains__)


def _narrow(stream: Stream, chance: random.Random) -> Stream:
    """Keep an answer and those whose questions are nearest to its own: one domain."""
    known = _embedded(stream)
    found = np.array([known[text] for text in stream.texts])
    answers = np.array(stream.answers)
    names = [name for name in sorted(set(stream.answers)) if (answers == name).sum() > 1]
    centers = np.array([found[answers == name].mean(axis=0) for name in names])
    near = np.argsort(-(centers @ centers[chance.randrange(len(names))]))[:NARROW]
    chosen = {names[one] for one in near}
    return _kept(stream, chosen.__contains__)


def _noisy(share: float) -> Maker:
    """Give a share of the questions the answer of another."""

    def noisy(stream: Stream, chance: random.Random) -> Stream:
        answers = [chance.choice(stream.answers) if chance.random() < share else answer for answer in stream.answers]
        return replace(stream, answers=tuple(answers))

    return noisy


def _drifting(stream: Stream, chance: random.Random) -> Stream:
    """Let half of the answers appear in the second half only, the first half of them in both."""
    names = sorted(set(stream.answers))
    late = set(chance.sample(names, len(names) // 2))
    count = len(stream.answers)
    early = [n for n in range(count) if stream.answers[n] not in late]
    later = early[len(early) // 2 :] + [n for n in range(count) if stream.answers[n] in late]
    return stream.picked(early[: len(early) // 2] + chance.sample(later, len(later)))


def _replaced(stream: Stream, chance: random.Random) -> Stream:
    """Let a third of the answers go at a time, and another third come."""
    names = sorted(set(stream.answers))
    part = {name: number % 3 for number, name in enumerate(chance.sample(names, len(names)))}
    return stream.picked(sorted(range(len(stream.answers)), key=lambda n: part[stream.answers[n]]))


def _blocks(stream: Stream, chance: random.Random) -> Stream:
    """Ask all questions of one answer, then all of the next."""
    names = sorted(set(stream.answers))
    place = {name: number for number, name in enumerate(chance.sample(names, len(names)))}
    return stream.picked(sorted(range(len(stream.answers)), key=lambda n: place[stream.answers[n]]))


def _few(most: int) -> Maker:
    """Keep the first few of each answer; at the end come those alone that nobody asks twice."""
    return lambda stream, _: stream.thinned(most)


def _foreign_end(stream: Stream, chance: random.Random) -> Stream:
    """End with questions of which each has an answer of its own."""
    count = len(stream.answers)
    answers = [
        f"alone-{n}" if 2 * n > count and chance.random() < 2 * n / count - 1 else stream.answers[n]
        for n in range(count)
    ]
    return replace(stream, answers=tuple(answers))


def _strangers(share: float) -> Maker:
    """Give from half-way on a share of the questions an answer of its own."""

    def strangers(stream: Stream, chance: random.Random) -> Stream:
        half = len(stream.answers) // 2
        alone = [number >= half and chance.random() < share for number in range(len(stream.answers))]
        answers = [f"alone-{n}" if alone[n] else answer for n, answer in enumerate(stream.answers)]
        return replace(stream, answers=tuple(answers))

    return strangers


def _turned(stream: Stream, chance: random.Random) -> Stream:
    """Half-way the answers to a third of what is asked change for good."""
    names = sorted(set(stream.answers))
    turned = set(chance.sample(names, len(names) // 3))
    late = [2 * n >= len(stream.answers) and answer in turned for n, answer in enumerate(stream.answers)]
    answers = [f"{answer}, new" if new else answer for new, answer in zip(late, stream.answers, strict=True)]
    return replace(stream, answers=tuple(answers))


def _slots(stream: Stream, chance: random.Random) -> Stream:
    """Let each answer hang on a name or a number as well."""
    picked = [chance.choice(SLOTS) for _ in stream.texts]
    texts = tuple(f"{text} {slot}".strip() for text, slot in zip(stream.texts, picked, strict=True))
    return replace(stream, texts=texts, answers=tuple(map("{} {}".format, stream.answers, picked)))


def _repetitive(stream: Stream, chance: random.Random) -> Stream:
    """Ask for eight answers only, each question in several frames."""
    names = sorted(set(stream.answers))
    chosen = set(chance.sample(names, min(8, len(names))))
    kept = _kept(stream, chosen.__contains__)
    pairs = zip(kept.texts, kept.answers, strict=True)
    asked = [(frame.format(text), answer) for text, answer in pairs for frame in FRAMES]
    few = chance.sample(asked, min(MOST, len(asked)))
    return replace(kept, texts=tuple(text for text, _ in few), answers=tuple(answer for _, answer in few))


def _all_differ(stream: Stream, _: random.Random) -> Stream:
    """Give each question an answer of its own: no hit can be right."""
    return replace(stream, answers=tuple(map(str, range(len(stream.texts)))))


def repeated(folder: Folder) -> Stream:
    """Return the questions of all pairs, each asked in several frames: nearest of all is often a wrong one."""
    asked = list(_asked(folder))
    framed = [(frame.format(text), answer) for text, answer in asked for frame in FRAMES]
    return Stream("pairs", tuple(text for text, _ in framed), tuple(answer for _, answer in framed))


def _asked(folder: Folder) -> Iterator[tuple[str, str]]:
    """Yield each question with its answer: those of a pair that asks the same have one."""
    for name in ("adversarial", "covid"):
        known: dict[str, str] = {}
        for number, pair in enumerate(sorted(folder.pairs(name), key=lambda pair: not pair.same)):
            first = known.setdefault(pair.a, f"{name}-{number}-a")
            known.setdefault(pair.b, first if pair.same else f"{name}-{number}-b")
        yield from known.items()


FRAMES = (
    "{}",
    "Please: {}",
    "Hi, {}",
    "{} Thanks!",
    "I would like to know: {}",
    "Quick question. {}",
    "{} Please tell me.",
)
SLOTS = ("", "for Anna", "for Bob", "for Carla", "for my 2 cards", "for my 3 cards")
KINDS: dict[str, Maker] = {
    "shuffled": lambda stream, _: stream,
    "10 %": _share(0.1),
    "30 %": _share(0.3),
    "50 %": _share(0.5),
    "15 an answer": _few(15),
    "40 an answer": _few(40),
    "half of the answers": _half,
    "one domain": _narrow,
    "1 % noise": _noisy(0.01),
    "3 % noise": _noisy(0.03),
    "late answers": _drifting,
    "answers replaced": _replaced,
    "answer by answer": _blocks,
    "strange end": _foreign_end,
    "3 % strangers": _strangers(0.03),
    "30 % strangers": _strangers(0.3),
    "answers change": _turned,
    "names and numbers": _slots,
    "few answers": _repetitive,
    "all differ": _all_differ,
    "200 calls": lambda stream, _: stream.picked(list(range(min(SHORT, len(stream.texts))))),
}
"""What is made of the mixed questions of a source."""
