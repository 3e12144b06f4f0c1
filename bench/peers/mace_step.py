"""Times a training step and an inference of mace-torch on the CPU.

    python mace_step.py --data train_300K.xyz --lmax-hidden 2 [--threads 2] [--dtype float64]
    python mace_step.py --data train_300K.xyz --lmax-hidden 2 --serve

Tried with mace-torch 0.3.16, e3nn 0.4.4, torch 2.15.0 (tests/reference/requirements.txt). The model
is ScaleShiftMACE with residual blocks: 128 channels, l_max 3, correlation 3, two layers, radial MLP
[64, 64, 64], r_max 5. The batch is the first five frames of an extxyz file with energy and forces.
  train  energy and forces, loss 1 (dE/N)^2 + 1000 dF^2, its gradient, one step of AMSGrad Adam
  infer  energy and forces
The neighbour list is made beforehand. Prints one line of JSON per row, in milliseconds. With
--serve each line "train" or "infer" on the standard input is answered by the milliseconds of one
sample, so that a driver can alternate with another program.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import time
import warnings

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
warnings.filterwarnings("ignore")

import ase.io
import numpy as np
import torch

with contextlib.redirect_stdout(io.StringIO()):
    from e3nn import o3
    from mace import data, modules, tools
    from mace.tools.torch_geometric.batch import Batch

R_MAX = 5.0
CHANNELS = 128


def make_batch(frames):
    """The batch as a dictionary, its atomic numbers, and the labels: energies and forces."""
    table = tools.AtomicNumberTable(sorted({int(z) for f in frames for z in f.numbers}))
    configs = [data.config_from_atoms(frame) for frame in frames]
    graphs = [data.AtomicData.from_config(c, z_table=table, cutoff=R_MAX) for c in configs]
    energy = torch.tensor([frame.get_potential_energy() for frame in frames])
    forces = torch.tensor(np.concatenate([frame.get_forces() for frame in frames]))
    dtype = torch.get_default_dtype()
    return Batch.from_data_list(graphs).to_dict(), table.zs, energy.to(dtype), forces.to(dtype)


def make_model(zs, l_hidden, mean_energy, num_neighbors):
    residual = modules.RealAgnosticResidualInteractionBlock
    hidden = o3.Irreps([(CHANNELS, (l, (-1) ** l)) for l in range(l_hidden + 1)])
    return modules.ScaleShiftMACE(
        r_max=R_MAX, num_bessel=8, num_polynomial_cutoff=5, max_ell=3, correlation=3,
        num_interactions=2, interaction_cls_first=residual, interaction_cls=residual,
        hidden_irreps=hidden, MLP_irreps=o3.Irreps("16x0e"), radial_MLP=[64, 64, 64],
        gate=torch.nn.functional.silu, num_elements=len(zs), atomic_numbers=zs,
        atomic_energies=np.full(len(zs), mean_energy), avg_num_neighbors=num_neighbors,
        atomic_inter_scale=1.0, atomic_inter_shift=0.0)


def make_steps(frames, l_hidden):
    """The two things to time, by name."""
    batch, zs, energy, forces = make_batch(frames)
    atoms = torch.diff(batch["ptr"])
    neighbors = batch["edge_index"].shape[1] / len(forces)
    model = make_model(zs, l_hidden, energy.sum().item() / len(forces), neighbors)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, amsgrad=True)

    def train():
        optimizer.zero_grad(set_to_none=True)
        out = model(batch, training=True)
        loss = (((out["energy"] - energy) / atoms) ** 2).mean()
        loss = loss + 1000 * ((out["forces"] - forces) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    def infer():
        return model(batch)["forces"].sum().item()

    return {"train": train, "infer": infer}


def milliseconds(step):
    start = time.perf_counter()
    step()
    return 1e3 * (time.perf_counter() - start)


def serve(steps):
    for line in sys.stdin:
        step = steps.get(line.strip())
        print(f"{milliseconds(step):.3f}" if step else "unknown: train or infer", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--lmax-hidden", type=int, choices=[0, 1, 2], default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--serve", action="store_true")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.set_default_dtype(getattr(torch, args.dtype))
    torch.manual_seed(1)
    steps = make_steps(ase.io.read(args.data, ":5"), args.lmax_hidden)
    for step in steps.values():
        for _ in range(args.warmup):
            step()
    if args.serve:
        serve(steps)
        return
    suffix = f"mace_l{args.lmax_hidden}" + ("_f64" if args.dtype == "float64" else "")
    for name, step in [("train_step", steps["train"]), ("inference", steps["infer"])]:
        samples = [round(milliseconds(step), 3) for _ in range(args.samples)]
        print(json.dumps({"name": f"{name}_{suffix}", "ms": samples}), flush=True)


if __name__ == "__main__":
    main()
