"""A training step of nequip on the CPU: row train_step_nequip_m.

    python nequip_step.py train_step_nequip_m --data train_300K.xyz [--threads 2] [--compiled]

Tried with nequip 0.19.1, e3nn 0.6.0, torch 2.15.0 (tests/reference/requirements_nequip.txt). The
model is the preset M with r_max 5; the batch is the first five frames of an extxyz file with energy
and forces; the neighbour list is made beforehand. Energy and forces, loss 1 (dE/N)^2 + 1000 dF^2,
its gradient, one step of AMSGrad Adam. --compiled: by torch.compile, which takes minutes at the
first step.
"""

import os
import sys
import warnings

warnings.filterwarnings("ignore")

import ase.io
import nequip
import numpy as np
import torch
from nequip.data import AtomicDataDict, compute_neighborlist_, from_ase
from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper
from nequip.model import PresetNequIPGNNModel
from nequip.utils.global_state import set_global_state

import server

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts")
R_MAX = 5.0


def make_batch(frames, symbols):
    mapper = ChemicalSpeciesToAtomTypeMapper(symbols)
    graphs = []
    for frame in frames:
        bare = from_ase(ase.Atoms(frame.numbers, frame.positions))
        graphs.append(compute_neighborlist_(mapper(bare), R_MAX))
    return AtomicDataDict.batched_from_list(graphs)


def make_model(symbols, mean_energy, num_neighbors, mode):
    return PresetNequIPGNNModel(
        preset="M", seed=1, model_dtype="float32", compile_mode=mode, r_max=R_MAX,
        type_names=symbols, avg_num_neighbors=num_neighbors, per_type_energy_scales=1.0,
        per_type_energy_shifts={symbol: mean_energy for symbol in symbols})


def save(model, path):
    sys.path.insert(0, SCRIPTS)
    import import_nequip
    import_nequip.save(path, *import_nequip.convert(model))


def make(args):
    frames = ase.io.read(args.data, ":5")
    symbols = [ase.data.chemical_symbols[z]
               for z in sorted({int(z) for frame in frames for z in frame.numbers})]
    batch = make_batch(frames, symbols)
    energy = torch.tensor([frame.get_potential_energy() for frame in frames])[:, None]
    forces = torch.from_numpy(np.concatenate([frame.get_forces() for frame in frames])).float()
    atoms = torch.tensor([[len(frame)] for frame in frames])
    mean = energy.sum().item() / len(forces)
    neighbors = batch["edge_index"].shape[1] / len(forces)
    eager = make_model(symbols, mean, neighbors, "eager")
    model = make_model(symbols, mean, neighbors, "compile") if args.compiled else eager
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, amsgrad=True)

    def gradient_of_loss():
        optimizer.zero_grad(set_to_none=True)
        out = model(dict(batch))
        loss = (((out["total_energy"] - energy) / atoms) ** 2).mean()
        loss = loss + 1000 * ((out["forces"] - forces) ** 2).mean()
        loss.backward()
        return out, loss.item()

    def train():
        gradient_of_loss()
        optimizer.step()

    def results():
        out, loss = gradient_of_loss()
        squares = [p.grad.double().square().sum() for p in model.parameters() if p.grad is not None]
        return [(out["total_energy"] - mean * atoms).detach(), out["forces"].detach(), [loss],
                [torch.stack(squares).sum().sqrt().item()]]

    return train, results, lambda path: save(eager, path)


def main():
    parser = server.add_arguments()
    parser.add_argument("--compiled", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    set_global_state()
    compiled = " compiled" if args.compiled else ""
    server.serve(f"nequip {nequip.__version__}{compiled}, torch {torch.__version__}",
                 lambda: make(args))


if __name__ == "__main__":
    main()
