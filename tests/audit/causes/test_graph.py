"""What a causal graph says, against enumeration."""

from itertools import chain, combinations

import networkx as nx
import numpy as np

from simulacra.audit.causes.graph import Graph


def random_graph(rng: np.random.Generator, nodes: str = "abcdef", share: float = 0.4) -> Graph:
    arrows = nx.DiGraph()
    arrows.add_nodes_from(nodes)
    order = rng.permutation(list(nodes))
    arrows.add_edges_from((a, b) for i, a in enumerate(order) for b in order[i + 1 :] if rng.random() < share)
    return Graph(arrows, frozenset(n for n in nodes if rng.random() < 0.25))


def subsets(names: set[str]) -> list[set[str]]:
    ordered = sorted(names)
    return [set(s) for s in chain.from_iterable(combinations(ordered, k) for k in range(len(ordered) + 1))]


def test_adjustment_is_found_where_there_is_one() -> None:
    rng, none = np.random.default_rng(0), 0
    for _ in range(60):
        graph = random_graph(rng)
        for x, y in combinations(graph.measured, 2):
            back = graph.arrows.copy()
            back.remove_edges_from(list(graph.arrows.out_edges(x)))
            allowed = set(graph.measured) - set(nx.descendants(graph.arrows, x)) - {x, y}
            valid = [s for s in subsets(allowed) if nx.is_d_separator(back, x, y, s)]
            given = graph.adjustment_set(x, y)
            assert (given is None) == (not valid)
            none += given is None
            if given is not None:
                assert set(given) in valid
                assert not any(s < set(given) for s in valid)
    assert none > 20


def test_what_a_graph_says_about_data() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        graph = random_graph(rng)
        said = {(a, b): given for a, b, given in graph.independences()}
        for a, b in combinations(graph.measured, 2):
            can = [
                s for s in subsets(set(graph.measured) - {a, b}) if nx.is_d_separator(graph.arrows, a, b, s)
            ]
            assert ((a, b) in said) == bool(can)
            if can:
                assert set(said[a, b]) in can


def test_arrows_that_no_data_turn() -> None:
    # the same neighbours and the same colliders, Verma and Pearl 1990
    def colliders(g: nx.DiGraph) -> set[tuple[frozenset[str], str]]:
        return {
            (frozenset(pair), c)
            for c in g
            for pair in combinations(sorted(g.predecessors(c)), 2)
            if not (g.has_edge(*pair) or g.has_edge(*pair[::-1]))
        }

    rng, turned = np.random.default_rng(2), 0
    for _ in range(60):
        arrows = random_graph(rng).arrows
        said = set(Graph(arrows).reversible())
        for a, b in arrows.edges:
            other = arrows.copy()
            other.remove_edge(a, b)
            other.add_edge(b, a)
            same = nx.is_directed_acyclic_graph(other) and colliders(other) == colliders(arrows)
            assert ((a, b) in said) == same
            turned += same
    assert turned > 50


def test_a_collider_is_not_adjusted_for() -> None:
    # M: u1 -> z <- u2, u1 -> x, u2 -> y; adjusting for z would open the path
    graph = Graph(
        nx.DiGraph([("u1", "z"), ("u2", "z"), ("u1", "x"), ("u2", "y"), ("x", "y")]), frozenset({"u1", "u2"})
    )
    assert graph.adjustment_set("x", "y") == ()
    # instead of a hidden cause, what it works through
    assert Graph(nx.DiGraph([("u", "m"), ("m", "x"), ("u", "y"), ("x", "y")]), frozenset("u")).adjustment_set(
        "x", "y"
    ) == ("m",)
