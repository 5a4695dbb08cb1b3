"""Who belongs to whom: the pairs whose costs are lowest as a whole."""

import math

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def assign(costs: F64, alone: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost, by column; a column may stay alone.

    Args:
        costs: float64 (M, N), inf where a pair is impossible.
        alone: cost of a column without a row; a pair that costs as much is not made.
    """
    if not costs.size:
        return []
    best = costs.argmin(0)  # (N,)
    wanted = [(int(i), j) for j, i in enumerate(best) if costs[i, j] < alone]
    if len({i for i, _ in wanted}) == len(wanted):  # nobody competes, so this is the least
        return wanted
    m, n = costs.shape
    # Each column may also take a row of its own, "alone": then an assignment always exists.
    table = [
        [*costs[:, j].tolist(), *(alone if k == j else math.inf for k in range(n))]
        for j in range(n)
    ]
    rows = _cheapest_rows(table)
    return [(i, j) for j, i in enumerate(rows) if i < m]


def _cheapest_rows(table: list[list[float]]) -> list[int]:
    """For each of N columns its row, all different, of least total cost; table is (N, K), N <= K.

    Source: the Hungarian method with potentials (Kuhn 1955; Jonker and Volgenant 1987). Each
        column in turn gets a row by the shortest path of exchanges with those that have one.
    """
    owner = [-1] * len(table[0])
    rows_pay, columns_pay = [0.0] * len(owner), [0.0] * len(table)
    for newcomer in range(len(table)):
        least, came_from = [math.inf] * len(owner), [-1] * len(owner)
        open_rows, done = set(range(len(owner))), [-1]
        column = newcomer
        while True:
            for i in open_rows:
                cost = table[column][i] - columns_pay[column] - rows_pay[i]
                if cost < least[i]:
                    least[i], came_from[i] = cost, done[-1]
            row = min(open_rows, key=lambda i: (least[i], i))
            step = least[row]
            columns_pay[newcomer] += step
            for i in done[1:]:
                rows_pay[i] -= step
                columns_pay[owner[i]] += step
            for i in open_rows:
                least[i] -= step
            open_rows.remove(row)
            done.append(row)
            if owner[row] < 0:
                break
            column = owner[row]
        _pass_on(owner, came_from, row, newcomer)
    rows = [0] * len(table)
    for i, column in enumerate(owner):
        if column >= 0:
            rows[column] = i
    return rows


def _pass_on(owner: list[int], came_from: list[int], row: int, newcomer: int) -> None:
    """Give each row of the path to the column before it, the first one to the newcomer."""
    while row >= 0:
        before = came_from[row]
        owner[row] = owner[before] if before >= 0 else newcomer
        row = before
