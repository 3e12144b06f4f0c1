"""The ready-made neighbour list of three OC20 IS2RE systems, for tests/neighbors_test.cpp.

Reads `original_pyg_torch_zip_is2re_bs3.pt` (a pickled PyG batch of OC20, CC-BY-4.0; edges within 6 A, at most 50 of
the nearest per receiver) with torch 2.15.0 and writes is2re_edges.safetensors: per system k `k/positions` [n, 3] f64,
`k/cell` [3, 3] f64, `k/sender`, `k/receiver` [e] u8 and `k/offset` [e, 3] u8 (the cell offset plus 128).

    python make_is2re_edges.py original_pyg_torch_zip_is2re_bs3.pt is2re_edges.safetensors
"""

import pickle
import sys
import types

import numpy as np
import torch
from safetensors.numpy import save_file


class Bag:
    """Stands for every class of torch_geometric: keeps its state, does nothing."""

    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return Bag()

    def __setstate__(self, state):
        self.__dict__.update(state if isinstance(state, dict) else {"state": state})


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        return Bag if module.startswith("torch_geometric") else super().find_class(module, name)


def main():
    shim = types.SimpleNamespace(Unpickler=Unpickler, load=pickle.load, __name__="pickle")
    batch = torch.load(sys.argv[1], map_location="cpu", weights_only=False, pickle_module=shim)
    get = batch._store._mapping.__getitem__
    natoms, edges = get("natoms").tolist(), get("neighbors").tolist()
    arrays, atom, edge = {}, 0, 0
    for k, (n, e) in enumerate(zip(natoms, edges)):
        part = slice(edge, edge + e)
        arrays[f"{k}/positions"] = get("pos")[atom : atom + n].double().numpy()
        arrays[f"{k}/cell"] = get("cell")[k].double().numpy()
        arrays[f"{k}/sender"] = (get("edge_index")[0, part] - atom).numpy().astype(np.uint8)
        arrays[f"{k}/receiver"] = (get("edge_index")[1, part] - atom).numpy().astype(np.uint8)
        arrays[f"{k}/offset"] = (get("cell_offsets")[part] + 128).numpy().astype(np.uint8)
        atom, edge = atom + n, edge + e
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, sys.argv[2])
    print(f"{len(natoms)} systems, {edge} edges")


main()
