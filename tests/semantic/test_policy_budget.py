"""The policy `errorBudget`: it learns what may be served and keeps the budget."""

from __future__ import annotations

import random

import pytest
from llmcache.semantic import Candidate, Forward, Learner, Serve
from llmcache.semantic.budget import EXPLORE, LEAST, ErrorBudget
from llmcache.semantic.evidence import Observation, read, write
from llmcache.semantic.groups import UNKNOWN, Groups
from llmcache.semantic.wording import likeness

ENTRIES = 16


def near(chance, number=0):
    """Return neighbors at whose place a hit is right with this chance, roughly: the clearer, the surer.

    Calls of any number are answered by one of a few entries.
    """
    lead = 0.4 * chance
    return [
        Candidate(f"{number % ENTRIES:06x}{place:02x}", 0.95 - lead * (place > 0) - 0.01 * place, "q")
        for place in range(6)
    ]


def served(policy, calls):
    """Return the hits among calls at the clearest places, one entry after another; nothing is learned from them."""
    decisions = (policy.decide(near(1.0, number)) for number in range(calls))
    return [decision for decision in decisions if isinstance(decision, Serve)]


def world(policy, seed, calls, broken=lambda number: False):
    """Let a policy live in a world where the chance of being wrong falls steeply with the lead; return its hits."""
    chances = random.Random(seed)
    hits = []
    for number in range(calls):
        clear = chances.random()
        right = chances.random() < 1 - 0.5 * (1 - clear) ** 3 and not broken(number)
        candidates = near(clear, number)
        decision = policy.decide(candidates)
        if isinstance(decision, Serve):
            hits.append(right)
        if isinstance(decision, Forward) or decision.explore:
            policy.learn(decision, candidates, equal=[right, *[None] * 5], key=f"{number:06x}ff")
            if policy.due:
                policy.refit()
    return hits


def test_it_serves_nothing_at_first():
    """Without evidence the very same question, as near as can be, is forwarded; so it is with a little evidence."""
    policy = ErrorBudget(0.5)
    assert isinstance(policy, Learner)
    assert Forward("no candidate") == policy.decide([])
    assert [] == world(policy, 1, LEAST - 1)
    assert isinstance(policy.decide(near(1.0)), Forward)


def test_it_serves_nothing_where_it_saw_no_wrong_one():
    """A world in which every neighbor was right so far has not shown what a wrong one looks like."""
    policy = ErrorBudget(0.05, seed=1)
    for number in range(3 * LEAST):
        candidates = near(1.0, number)
        policy.learn(policy.decide(candidates), candidates, equal=[True] * 6, key=f"{number:06x}ff")
        policy.refit()
    assert isinstance(policy.decide(near(1.0)), Forward)


@pytest.mark.parametrize("budget", [0.02, 0.05])
@pytest.mark.parametrize("seed", range(2))
def test_the_budget_is_kept(budget, seed):
    """In a world of known chances no more hits are wrong than the budget allows, and there are hits."""
    hits = world(ErrorBudget(budget, seed=seed), seed, 5000)
    assert hits.count(False) / len(hits) <= budget
    assert len(hits) > 1000


def test_a_share_of_the_hits_is_looked_at():
    """About five hits in a hundred are asked upstream all the same."""
    policy = ErrorBudget(0.05, seed=1)
    world(policy, 1, 2500)
    hits = served(policy, 3000)
    assert len(hits) > 2000
    assert sum(hit.explore for hit in hits) / len(hits) == pytest.approx(EXPLORE, abs=0.015)


def test_the_gate_is_never_overruled():
    """However certain a place is, what the gate refuses is forwarded, with its reason."""
    policy = ErrorBudget(0.05, seed=1)
    world(policy, 1, 2500)
    assert isinstance(policy.decide(near(1.0)), Serve)
    decision = policy.decide(near(1.0), lambda _: "number 2 ≠ 3")
    assert "number 2 ≠ 3" == decision.reason
    assert not decision.evidence.passed


def test_words_that_are_new_to_a_group_are_counted():
    """A name that none of the group's questions has, and a word that most of them have, are numbers to learn from."""
    members = ["Who is the president of France?", "Tell me who is president of France.", "The president of France?"]
    assert (0, 0) == likeness("Who is the president of France?", members, members[0])[:2]
    assert 1 == likeness("Who is the president of France?", members, members[0])[3]
    new, missing, shared, strict = likeness("Who is the president of Chad?", members, members[0])
    assert (0.5, 0.5, 1 / 3, 0) == (new, missing, shared, strict)
    assert all(0 <= share <= 1 for share in likeness("", ["", ""], ""))


def test_the_next_member_is_taken_when_the_gate_refuses_the_nearest():
    """A neighbor of the same group that the gate lets pass is the one that would be served."""
    policy = ErrorBudget(0.05)
    policy.learn(Forward("miss"), near(1.0), equal=[True, True, *[False] * 4], key="ff")
    decision = policy.decide(near(1.0), lambda one: "negation" if one.key.endswith("00") else None)
    assert near(1.0)[1].key == decision.evidence.key


def test_a_broken_budget_starts_over():
    """When the world turns, the hits that are looked at show it: everything is forgotten, and nothing served."""
    policy = ErrorBudget(0.05, seed=1, explore=1.0)
    world(policy, 1, 2500)
    assert isinstance(policy.decide(near(1.0)), Serve)
    assert len(world(policy, 2, 1500, broken=lambda number: True)) < 300
    assert isinstance(policy.decide(near(1.0)), Forward)
    assert b'"forget":true' in policy.fresh()


def test_an_untried_answer_is_not_served():
    """However certain a place is, an answer that was never tried there is tried first, and so is one that failed."""
    policy = ErrorBudget(0.05, seed=1)
    world(policy, 1, 2500)
    new = [Candidate(f"new{place}", one.similarity, "q") for place, one in enumerate(near(1.0))]
    for right, tried in ((False, False), (True, False), (True, True)):
        decision = policy.decide(new)
        assert decision.reason.startswith("untried")
        policy.learn(decision, new, equal=[right, *[None] * 5], key="fe")
        again = policy.decide(new)
        assert tried == (isinstance(again, Serve) or again.reason.startswith("drift"))


def test_it_pauses_while_it_fears_a_turn():
    """A few wrong answers where none was expected stop it at once; it forgets nothing until it is sure."""
    policy = ErrorBudget(0.05, seed=1, explore=1.0)
    world(policy, 1, 2500)
    known = len(policy._log)
    for number in range(9):
        candidates = near(1.0, 5000 + number)
        decision = policy.decide(candidates)
        policy.learn(decision, candidates, equal=[False, *[None] * 5], key=f"{number:06x}fe")
        if isinstance(decision, Forward):
            break
    assert decision.reason.startswith("drift ")
    assert len(policy._log) > known


def test_the_first_hits_are_looked_at_more():
    """A new rule is watched closely, an old one by the share that was asked for; a share of 0 means none."""
    policy = ErrorBudget(0.05, seed=1)
    world(policy, 1, 2500)
    policy._hits = 0
    assert sum(hit.explore for hit in served(policy, 30)) > 4
    silent = ErrorBudget(0.05, seed=1, explore=0)
    world(silent, 1, 2500)
    assert not any(hit.explore for hit in served(silent, 100))


def test_hits_in_a_row_are_looked_at_more():
    """Calls that get one and the same answer in a row may be a new topic: up to half of them are asked upstream."""
    policy = ErrorBudget(0.05, seed=1)
    world(policy, 1, 2500)
    policy._hits = 10**6
    hits = [policy.decide(near(1.0)) for _ in range(400)]
    assert sum(hit.explore for hit in hits) / len(hits) == pytest.approx(0.5, abs=0.1)


def strangers(policy, seed, calls):
    """Let a policy live among questions of which, from half-way on, a third has an answer of its own; return its hits.

    The strangers look like all others. Of two others that are near, one in ten has another answer.
    """
    chances, hits = random.Random(seed), []
    for number in range(calls):
        clear = chances.random()
        strange = 2 * number > calls and chances.random() < 1 / 3
        right = not strange and chances.random() < 1 - 0.5 * (1 - clear) ** 3
        candidates = near(clear, number)
        decision = policy.decide(candidates)
        if isinstance(decision, Serve):
            hits.append(right)
        if isinstance(decision, Forward) or decision.explore:
            policy.learn(decision, candidates, equal=[right, not strange, *[None] * 4], key=f"{number:06x}ff")
            if policy.due:
                policy.refit()
    return hits


@pytest.mark.parametrize("seed", range(3))
def test_questions_of_a_new_kind_stop_it_within_the_budget(seed):
    """Strangers are known by their answers, which no neighbor has: it stops before they have used up the budget."""
    clock = iter(range(10**6))
    hits = strangers(ErrorBudget(0.05, seed=seed, now=lambda: next(clock)), seed, 5000)
    assert len(hits) > 500
    assert hits.count(False) / len(hits) <= 0.05


def test_new_questions_stop_it_even_where_the_gate_refused():
    """Answers that no neighbor has are a sign for all places: the surest one is not served while they come."""
    policy = ErrorBudget(0.05, seed=1)
    world(policy, 1, 2500)
    assert isinstance(policy.decide(near(1.0)), Serve)
    for number in range(40):
        candidates = near(1.0, 3000 + number)
        decision = policy.decide(candidates, lambda _: "number 2 ≠ 3")
        policy.learn(decision, candidates, equal=[False] * 6, key=f"{number:06x}fd")
    assert policy.decide(near(1.0)).reason.startswith("drift ")


def test_what_was_learned_survives():
    """A process that absorbs the evidence of others, joined in one piece, serves what they learned to serve."""
    clock = iter(range(10**6))
    first, second = (ErrorBudget(0.05, seed=seed, now=lambda: next(clock)) for seed in (1, 2))
    world(first, 1, 2000)
    world(second, 2, 2000)
    evidence = first.fresh() + second.fresh()
    assert b"" == first.fresh()
    heir = ErrorBudget(0.05)
    assert 0 == heir.absorb(evidence)
    assert heir.due
    heir.refit()
    assert isinstance(heir.decide(near(1.0)), Serve)
    assert isinstance(heir.decide(near(0.0)), Forward)


def test_who_forgets_tells_the_others():
    """Evidence from before another process started over counts no more; what came after does."""
    policy = ErrorBudget(0.05)
    features = (0.5,) * 12
    policy.absorb(write([Observation(features, 1.0, True), Observation(features, 3.0, True)]))
    policy.absorb(write([Observation((), 2.0, forget=True)]))
    assert "1 observations" in repr(policy)


def test_evidence_of_the_first_version_is_read():
    """Lines that an earlier version wrote are learned from, with a doubt that says nothing; they name nobody."""
    line = b'{"v":1,"t":7.0,"x":[0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5],"y":true,"p":true,"e":false}\n'
    assert ([Observation(((0.5,) * 11) + (UNKNOWN,), 7.0, equal=True)], 0) == read(line, 12)
    assert 1 == len(read(b'{"v":1,"t":7.0,"forget":true}', 12)[0])


@pytest.mark.parametrize(
    "damaged",
    [
        b"\x00\xff garbage",
        b"{}",
        b"[1]",
        b"null",
        b'{"v":99,"t":1,"x":[1,1,1,1,1,1,1,1,1,1,1,1]}',
        b'{"v":1,"t":1,"x":[1,2]}',
        b'{"v":1,"t":1,"x":[1,1,1,1,1,1,1,1,1,1,1],"y":"yes"}',
        b'{"v":1,"t":1e999,"x":[1,1,1,1,1,1,1,1,1,1,1,1]}',
        b'{"v":1,"t":1,"x":[1,1,1,1,1,1,1,1,1,1,1],"y":true,"k":"a","j":[1]}',
        b'{"v":1,"t":null,"forget":true}',
    ],
)
def test_damaged_evidence_is_counted_and_skipped(damaged):
    """Lines that cannot be read cost themselves alone, and are reported; the rest is learned from."""
    good = Observation((0.5,) * 12, 7.0, equal=True, explored=True, key="aa", joined=("bb",), chosen="bb")
    assert ([good], 1) == read(write([good]) + damaged + b"\n", 12)
    assert 1 == ErrorBudget(0.05).absorb(damaged)


def test_shadow_counts_a_hit_once():
    """What was noted as served, and then was asked upstream after all, is one observation."""
    policy = ErrorBudget(0.05, seed=1, explore=0.0)
    world(policy, 1, 2500)
    before = len(policy._log)
    decision = policy.decide(near(1.0))
    policy.learn(decision, near(1.0), equal=[True] * 6, key="ff")
    assert before + 1 == len(policy._log)


@pytest.mark.parametrize("budget", [0, 1, -0.1, 2])
def test_a_budget_is_a_share(budget):
    """What is no share is refused with an example."""
    with pytest.raises(ValueError, match=r"errorBudget: .* such as 0.01"):
        ErrorBudget(budget)


def test_groups_do_not_depend_on_the_order():
    """Processes that hear of the same unions in any order name the same groups, and know their sizes."""
    unions = [("c", ["a"]), ("d", []), ("e", ["d", "a"]), ("f", ["g"]), ("b", ["c"])]
    for seed in range(10):
        mixed = random.Random(seed).sample(unions, len(unions))
        groups = Groups()
        for key, others in mixed:
            groups.join(key, others)
        assert {"a"} == {groups.of(key) for key in "abcde"}
        assert (5, 2, 1) == (groups.size("a"), groups.size("f"), groups.size("z"))


def test_a_group_is_doubted_for_what_was_wrong():
    """Wrong answers raise the doubt in the whole group, right ones lower it, and groups that join share it."""
    groups = Groups()
    groups.join("b", ["c"])
    for _ in range(30):
        groups.tried("b", wrong=True)
        groups.tried("a", wrong=False)
    assert UNKNOWN == groups.doubt("z")
    assert groups.doubt("a") < 0.1
    assert groups.doubt("c") == groups.doubt("b") > 0.9
    groups.join("a", ["c"])
    assert groups.doubt("a") == groups.doubt("b") == pytest.approx(0.5, abs=0.1)


def test_others_doubt_what_one_found_wrong():
    """A process that absorbs evidence doubts the same groups as who wrote it."""
    first, second = ErrorBudget(0.05), ErrorBudget(0.05)
    for number in range(20):
        candidates = near(1.0)
        first.learn(first.decide(candidates), candidates, equal=[False, *[None] * 5], key=f"{number:02x}")
    assert 0 == second.absorb(first.fresh())
    doubts = [policy.decide(near(1.0)).evidence.features[-1] for policy in (first, second)]
    assert doubts[0] == doubts[1] > 0.8


def test_groups_are_bounded():
    """Beyond the limit the oldest keys stand alone again; the others keep together."""
    groups = Groups(most=100)
    for number in range(500):
        groups.join(f"{number:04}", [f"{number - 2:04}"] if number > 1 else [])
    assert groups.of("0499") == groups.of("0497") != groups.of("0498")
    assert "0000" == groups.of("0000")
    assert groups.size(groups.of("0499")) <= 51
