"""Neighbour lists of awkward cells, and checksums of those of whole data sets.

Made with matscipy 1.3.1 and ase 3.29.0 (requirements.txt), checked against a plain loop over images
(the small cells) and ASE (the small cells, every fiftieth frame):

    python make_neighbors.py --mptrj DIR --is2re DIR --out neighbors.safetensors

An edge (i, j, a, b, c) goes from sender i to receiver j, the atom j moved by (a, b, c) cells:
r_j - r_i + (a, b, c) @ cell, shorter than r_max. Positions are taken as they are, never wrapped. An
atom is its own neighbour only in another cell.

CASE/positions [n, 3], cell [3, 3], r_max [1]   float64
CASE/pbc [3], edges [m, 5]                      int32, edges in ascending order
SET/r_max [1]                                   float64
SET/atoms, edges, checksum [frames]             int32: counts, and the sum modulo 2^31 over edges
                                                of the number h, all arithmetic on unsigned 32 bits:
    h = 2166136261; for v in (i, j, a, b, c): h = (h xor v) * 16777619
    h = h xor (h >> 16); h = h * 2246822507; h = h xor (h >> 13); h = h * 3266489909
    h = h xor (h >> 16)
The sets are mptrj_random, mptrj_stress (mptrj-highest-stress-1k.xyz), is2re (is2re_8_initial).
A frame with a pair within 1e-9 A of r_max would depend on rounding: its counts are all -1.
"""

import argparse
import itertools
from pathlib import Path

import ase.io
import numpy as np
from ase.neighborlist import primitive_neighbor_list
from matscipy.neighbours import neighbour_list
from safetensors.numpy import save_file

SKEWED = [[3.1, 0, 0], [8.4, 2.9, 0], [-7.2, 6.6, 3.3]]
SLAB = [[2.9, 0, 0], [1.4, 2.5, 0], [0, 0, 15]]
TWO = [[0, 0, 0], [1.3, 1.1, 0.9]]
FOUR = [[0.1, 0.2, 0.3], [1.9, 0.4, 1.1], [0.7, 2.2, 1.6], [1.5, 1.4, 2.8]]
CASES = {  # positions, cell, pbc, r_max
    "one_atom_cubic": ([[0.3, 0.1, 0.2]], np.eye(3) * 2.7, [1, 1, 1], 7.0),
    "one_atom_flat": ([[0, 0, 0]], np.diag([1.7, 9.1, 11.3]), [1, 1, 1], 5.0),
    "two_atoms_bcc": (TWO, np.eye(3) * 2.87, [1, 1, 1], 6.0),
    "skewed": (FOUR, SKEWED, [1, 1, 1], 5.0),
    "very_skewed": (TWO, [[2.5, 0, 0], [24.1, 2.6, 0], [-13.7, 31.9, 2.8]], [1, 1, 1], 4.0),
    "left_handed": (FOUR, [[0, 3.2, 0.4], [3.6, 0, 0.3], [0.2, 0.5, 4.1]], [1, 1, 1], 5.7),
    "slab": (FOUR, SLAB, [1, 1, 0], 5.0),
    "tilted_slab": (FOUR, [[3.4, 0.2, 0.9], [0.4, 0.1, 12.0], [0.7, 3.7, -0.5]], [1, 0, 1], 6.0),
    "wire": (FOUR, np.diag([20.0, 20.0, 2.3]), [0, 0, 1], 5.0),
    "atoms_outside": (np.array(FOUR) + [[0, 0, 0], [31, -9, 4], [-2, 17, -8], [5, 5, 50]],
                      [[4.2, 0, 0], [1.1, 4.4, 0], [0.3, -0.8, 4.9]], [1, 1, 1], 5.2),
    "slab_outside": (np.array(FOUR) + [[0, 0, -9], [12, 0, -8], [0, -7, -9], [0, 0, 8]],
                     SLAB, [1, 1, 0], 4.5),
    "molecule": (FOUR, np.zeros((3, 3)), [0, 0, 0], 3.0),
}


def complete(cell, pbc):
    """The cell with zero vectors of open directions replaced; edges never cross those."""
    cell = np.array(cell, dtype=float)
    for k in range(3):
        if not cell[k].any() and not pbc[k]:
            cell[k, k] = 1.0
    return cell


def ordered(i, j, shift):
    edges = np.column_stack([i, j, shift]).astype(np.int32)
    return edges[np.lexsort(edges.T[::-1])]


def by_matscipy(positions, cell, pbc, r_max):
    return ordered(*neighbour_list("ijS", positions=positions, cell=complete(cell, pbc),
                                   pbc=np.array(pbc, dtype=bool), cutoff=r_max))


def by_ase(positions, cell, pbc, r_max):
    return ordered(*primitive_neighbor_list("ijS", np.array(pbc, dtype=bool), complete(cell, pbc),
                                            positions, r_max))


def by_loop(positions, cell, pbc, r_max):
    cell = complete(cell, pbc)
    spread = np.linalg.norm(positions[:, None] - positions[None], axis=-1).max() + r_max
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    ranges = [range(-n, n + 1) for n in np.ceil(spread / heights).astype(int) * np.array(pbc)]
    edges = []
    for shift in itertools.product(*ranges):
        vectors = positions[None] - positions[:, None] + np.array(shift) @ cell
        near = np.linalg.norm(vectors, axis=-1) < r_max
        if not any(shift):
            np.fill_diagonal(near, False)
        edges += [(i, j, *shift) for i, j in np.argwhere(near)]
    edges = np.array(edges)
    return ordered(edges[:, 0], edges[:, 1], edges[:, 2:])


def margin(positions, cell, pbc, r_max):
    """How far the pair nearest to r_max is from it."""
    distances = neighbour_list("d", positions=positions, cell=complete(cell, pbc),
                               pbc=np.array(pbc, dtype=bool), cutoff=r_max + 1e-6)
    return np.abs(distances - r_max).min(initial=1.0)


def checksum(edges):
    def spread(h, bits, factor):
        return ((h ^ (h >> bits)) * factor) & 0xFFFFFFFF

    h = np.full(len(edges), 2166136261, dtype=np.uint64)
    for column in edges.T:
        h = ((h ^ column.astype(np.uint32)) * 16777619) & 0xFFFFFFFF
    h = spread(spread(h, 16, 2246822507), 13, 3266489909)
    return int((h ^ (h >> 16)).sum() % 2**31)


def small_cells():
    out = {}
    for name, (positions, cell, pbc, r_max) in CASES.items():
        positions, cell = np.array(positions, dtype=float), np.array(cell, dtype=float)
        edges = by_matscipy(positions, cell, pbc, r_max)
        assert margin(positions, cell, pbc, r_max) > 1e-9, name
        assert np.array_equal(edges, by_loop(positions, cell, pbc, r_max)), name
        assert np.array_equal(edges, by_ase(positions, cell, pbc, r_max)), name
        values = {"positions": positions, "cell": cell, "r_max": np.array([r_max]),
                  "pbc": np.array(pbc, dtype=np.int32), "edges": edges}
        out.update({f"{name}/{key}": value for key, value in values.items()})
        print(f"{name}: {len(edges)} edges")
    return out


def data_set(name, path, r_max):
    rows = []
    for k, atoms in enumerate(ase.io.read(path, ":")):
        frame = atoms.positions, atoms.cell.array, atoms.pbc, r_max
        edges = by_matscipy(*frame)
        if k % 50 == 0:
            assert np.array_equal(edges, by_ase(*frame)), (name, k)
        safe = margin(*frame) > 1e-9
        rows.append([len(atoms), len(edges), checksum(edges)] if safe else [-1, -1, -1])
    atoms, edges, sums = np.array(rows, dtype=np.int32).T
    print(f"{name}: {len(rows)} frames, {edges.sum()} edges, {(edges < 0).sum()} left out")
    return {f"{name}/r_max": np.array([r_max]), f"{name}/atoms": atoms.copy(),
            f"{name}/edges": edges.copy(), f"{name}/checksum": sums.copy()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ["mptrj", "is2re", "out"]:
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    arrays = {**small_cells(),
              **data_set("is2re", args.is2re / "is2re_8_initial.extxyz", 6.0),
              **data_set("mptrj_random", args.mptrj / "mptrj-random-1k.xyz", 5.0),
              **data_set("mptrj_stress", args.mptrj / "mptrj-highest-stress-1k.xyz", 5.0)}
    save_file(arrays, args.out)


if __name__ == "__main__":
    main()
