"""The neighbour list of bench/neighbors_workload.cpp by matscipy or ASE.

    python neighbors.py neighbors --library matscipy

100 000 atoms in a periodic cube, 0.05 per A^3, within 6 A: sender, receiver and cell shift of every
directed pair. Both libraries run on one thread.
"""

import importlib
import warnings

warnings.filterwarnings("ignore")

import ase
import numpy as np

import server

ATOMS, DENSITY, R_MAX = 100000, 0.05, 6.0


def make(neighbour_list):
    side = np.cbrt(ATOMS / DENSITY)
    random = server.input_values("positions", (ATOMS, 3))
    atoms = ase.Atoms(positions=side * (random / np.sqrt(12.0) + 0.5), cell=[side] * 3, pbc=True)

    def run():
        return neighbour_list("ijS", atoms, R_MAX)

    def results():
        """Of each receiver the number of its neighbours, and the sum of their distances."""
        i, j, shift = run()
        vectors = atoms.positions[j] - atoms.positions[i] + shift @ np.asarray(atoms.cell)
        lengths = np.linalg.norm(vectors, axis=1)
        return [np.bincount(j, minlength=ATOMS), np.bincount(j, lengths, minlength=ATOMS)]

    return run, results, None


def main():
    parser = server.add_arguments()
    parser.add_argument("--library", choices=["matscipy", "ase"], required=True)
    args = parser.parse_args()
    module = importlib.import_module({"ase": "ase.neighborlist",
                                      "matscipy": "matscipy.neighbours"}[args.library])
    find = getattr(module, {"ase": "neighbor_list", "matscipy": "neighbour_list"}[args.library])
    version = importlib.import_module(args.library).__version__
    server.serve(f"{args.library} {version}", lambda: make(find))


if __name__ == "__main__":
    main()
