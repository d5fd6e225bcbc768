"""The policy `errorBudget`: it learns what may be served and keeps the budget."""

from __future__ import annotations

import random

import pytest
from llmcache.semantic import Candidate, Forward, Learner, Serve
from llmcache.semantic.budget import EXPLORE, LEAST, ErrorBudget
from llmcache.semantic.evidence import Observation, read, write
from llmcache.semantic.groups import Groups
from llmcache.semantic.wording import likeness


def near(chance, number=0):
    """Return neighbors at whose place a hit is right with this chance, roughly: the clearer, the surer."""
    lead = 0.4 * chance
    return [Candidate(f"{number:06x}{place:02x}", 0.95 - lead * (place > 0) - 0.01 * place, "q") for place in range(6)]


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
    """About three hits in a hundred are asked upstream all the same."""
    policy = ErrorBudget(0.05, seed=1)
    world(policy, 1, 2500)
    decisions = [policy.decide(near(1.0, number)) for number in range(3000)]
    assert all(isinstance(decision, Serve) for decision in decisions)
    assert sum(decision.explore for decision in decisions) / 3000 == pytest.approx(EXPLORE, abs=0.01)


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
    world(policy, 1, 3000)
    assert isinstance(policy.decide(near(1.0)), Serve)
    assert len(world(policy, 2, 1500, broken=lambda number: True)) < 300
    assert isinstance(policy.decide(near(1.0)), Forward)
    assert b'"forget":true' in policy.fresh()


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
    features = (0.5,) * 11
    policy.absorb(write([Observation(features, 1.0, True), Observation(features, 3.0, True)]))
    policy.absorb(write([Observation((), 2.0, forget=True)]))
    assert "1 observations" in repr(policy)


@pytest.mark.parametrize(
    "damaged",
    [
        b"\x00\xff garbage",
        b"{}",
        b"[1]",
        b"null",
        b'{"v":99,"t":1,"x":[1,1,1,1,1,1,1,1,1,1,1]}',
        b'{"v":1,"t":1,"x":[1,2]}',
        b'{"v":1,"t":1,"x":[1,1,1,1,1,1,1,1,1,1,1],"y":"yes"}',
        b'{"v":1,"t":1e999,"x":[1,1,1,1,1,1,1,1,1,1,1]}',
        b'{"v":1,"t":1,"x":[1,1,1,1,1,1,1,1,1,1,1],"y":true,"k":"a","j":[1]}',
        b'{"v":1,"t":null,"forget":true}',
    ],
)
def test_damaged_evidence_is_counted_and_skipped(damaged):
    """Lines that cannot be read cost themselves alone, and are reported; the rest is learned from."""
    good = Observation((0.5,) * 11, 7.0, equal=True, explored=True, key="aa", joined=("bb",))
    assert ([good], 1) == read(write([good]) + damaged + b"\n", 11)
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


def test_groups_are_bounded():
    """Beyond the limit the oldest keys stand alone again; the others keep together."""
    groups = Groups(most=100)
    for number in range(500):
        groups.join(f"{number:04}", [f"{number - 2:04}"] if number > 1 else [])
    assert groups.of("0499") == groups.of("0497") != groups.of("0498")
    assert "0000" == groups.of("0000")
    assert groups.size(groups.of("0499")) <= 51
