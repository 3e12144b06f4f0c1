"""Training steps and inferences of mace-torch on the CPU: rows train_step_mace_*, infer_mace_*.

    python mace_step.py train_step_mace_l2 --data train_300K.xyz [--threads 2]

Tried with mace-torch 0.3.16, e3nn 0.4.4, torch 2.15.0 (tests/reference/requirements.txt). The model
is ScaleShiftMACE with residual blocks: 128 channels, l_max 3, correlation 3, two layers, radial MLP
[64, 64, 64], r_max 5. The batch is the first five frames, or one ("molecule"), of an extxyz file
with energy and forces; the neighbour list is made beforehand.
  train_step  energy and forces, loss 1 (dE/N)^2 + 1000 dF^2, its gradient, one step of AMSGrad Adam
  infer       energy and forces
"""

import contextlib
import io
import os
import sys
import warnings

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
warnings.filterwarnings("ignore")

import ase.io
import numpy as np
import torch

import server

with contextlib.redirect_stdout(io.StringIO()):
    import mace
    from e3nn import o3
    from mace import data, modules, tools
    from mace.tools.torch_geometric.batch import Batch

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts")
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


def save(model, path):
    sys.path.insert(0, SCRIPTS)
    import import_mace
    import_mace.save(path, *import_mace.convert(model))


def make(args):
    words = args.row.split("_")
    training, l_hidden = words[0] == "train", int(words[words.index("mace") + 1][1:])
    frames = ase.io.read(args.data, ":1" if "molecule" in words else ":5")
    batch, zs, energy, forces = make_batch(frames)
    atoms = torch.diff(batch["ptr"])
    neighbors = batch["edge_index"].shape[1] / len(forces)
    model = make_model(zs, l_hidden, energy.sum().item() / len(forces), neighbors)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, amsgrad=True)

    def gradient_of_loss():
        optimizer.zero_grad(set_to_none=True)
        out = model(batch, training=True)
        loss = (((out["energy"] - energy) / atoms) ** 2).mean()
        loss = loss + 1000 * ((out["forces"] - forces) ** 2).mean()
        loss.backward()
        return loss.item()

    def train():
        gradient_of_loss()
        optimizer.step()

    def infer():
        return model(batch)

    def results():
        out = infer()
        found = [out["interaction_energy"].detach(), out["forces"].detach()]
        if training:
            loss = gradient_of_loss()
            squares = [p.grad.double().square().sum() for p in model.parameters()
                       if p.grad is not None]
            found += [[loss], [torch.stack(squares).sum().sqrt().item()]]
        return found

    return train if training else infer, results, lambda path: save(model, path)


def main():
    args = server.add_arguments().parse_args()
    torch.set_num_threads(args.threads)
    torch.set_default_dtype(torch.float64 if args.row.endswith("_f64") else torch.float32)
    torch.manual_seed(1)
    server.serve(f"mace-torch {mace.__version__}, torch {torch.__version__}", lambda: make(args))


if __name__ == "__main__":
    main()
