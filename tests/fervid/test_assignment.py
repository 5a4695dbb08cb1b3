from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.assignment import assign

ALONE = 3.0


def total(costs, pairs):
    """What an assignment costs."""
    return sum(costs[i, j] for i, j in pairs) + ALONE * (costs.shape[1] - len(pairs))


def cheapest(costs):
    """The least cost of all assignments, by trying them all."""
    m, n = costs.shape
    rows = [*range(m), *[None] * n]
    return min(
        sum(ALONE if i is None else costs[i, j] for j, i in enumerate(chosen))
        for chosen in permutations(rows, n)
    )


def test_the_best_pair_alone_is_not_always_the_best_for_all():
    costs = np.array([[0.0, 0.5], [1.0, 2.9]])  # the cheapest pair (0, 0) would force (1, 1)
    assert sorted(assign(costs, ALONE)) == [(0, 1), (1, 0)]


def test_what_costs_too_much_stays_alone():
    assert assign(np.array([[3.5, np.inf]]), ALONE) == []


def test_nobody_to_assign():
    assert assign(np.zeros((0, 3)), ALONE) == assign(np.zeros((3, 0)), ALONE) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 10**6))
def test_no_assignment_is_cheaper(m, n, seed):
    rng = np.random.default_rng(seed)
    costs = rng.normal(1.5, 2, (m, n))
    costs[rng.random((m, n)) < 0.3] = np.inf
    pairs = assign(costs, ALONE)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert np.isclose(total(costs, pairs), cheapest(costs))
