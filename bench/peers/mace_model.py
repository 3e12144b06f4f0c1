"""Writes the model that mace_step.py times, and what it computes for the same batch.

    python mace_model.py --data train_300K.xyz --lmax-hidden 2 OUT.model

Same seed, same order of construction as mace_step.py, so the same random weights. Prints the five
interaction energies (eV) and the norm of all forces (eV/A), in float32.
"""

import argparse

import ase.io
import torch

import mace_step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--lmax-hidden", type=int, choices=[0, 1, 2], default=2)
    parser.add_argument("out")
    args = parser.parse_args()

    torch.set_default_dtype(torch.float32)
    torch.manual_seed(1)
    batch, zs, energy, forces = mace_step.make_batch(ase.io.read(args.data, ":5"))
    neighbors = batch["edge_index"].shape[1] / len(forces)
    model = mace_step.make_model(zs, args.lmax_hidden, energy.sum().item() / len(forces), neighbors)
    out = model(batch)
    print(*out["interaction_energy"].tolist(), out["forces"].norm().item())
    torch.save(model, args.out)


if __name__ == "__main__":
    main()
