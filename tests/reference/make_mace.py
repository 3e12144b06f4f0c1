"""Energies, forces and stresses of small mace-torch models with random weights.

Made with mace-torch 0.3.16, e3nn 0.4.4, torch 2.15.0, ase 3.29.0 (requirements.txt), in float64:

    python make_mace.py --threebpa DIR --mptrj DIR --out .

DIR holds train_300K.xyz of 3BPA, or mptrj-random-1k.xyz. Writes the 20 frames of each kind as they
stand there, 3bpa_20.xyz and mptrj_20.xyz, and per model NAME.safetensors, made by
scripts/import_mace.py, and NAME_expected.safetensors:
  energy  [20]                eV, with the energies of the isolated atoms
  forces  [atoms of all frames, 3]     eV/A
  stress  [20, 3, 3]          eV/A^3, dE/d(strain) / volume; periodic frames only
"""

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
warnings.filterwarnings("ignore")

import ase.io
import numpy as np
import torch
from e3nn import o3
from mace import data, modules, tools
from mace.tools.torch_geometric.batch import Batch
from safetensors.numpy import save_file

IMPORT = Path(__file__).resolve().parents[2] / "scripts" / "import_mace.py"
PLAIN = modules.RealAgnosticInteractionBlock
RESIDUAL = modules.RealAgnosticResidualInteractionBlock
R_MAX = 5.0
DEFAULTS = dict(r_max=R_MAX, num_bessel=8, num_polynomial_cutoff=5, max_ell=3, correlation=3,
                num_interactions=2, interaction_cls_first=RESIDUAL, interaction_cls=RESIDUAL,
                hidden_irreps="16x0e + 16x1o", MLP_irreps=o3.Irreps("8x0e"), radial_MLP=[16, 16],
                gate=torch.nn.functional.silu)
HIDDEN = {"l0": "16x0e", "l1": "16x0e + 16x1o", "l2": "16x0e + 16x1o + 16x2e"}
SPECIAL = {
    "plain_first": dict(interaction_cls_first=PLAIN),
    "plain": dict(interaction_cls_first=PLAIN, interaction_cls=PLAIN, scaled=False,
                  hidden_irreps="8x0e + 8x1o", num_polynomial_cutoff=6),
    "three_layers": dict(num_interactions=3, correlation=[2, 3, 2], hidden_irreps="8x0e + 8x1o"),
    "lmax4": dict(max_ell=4, correlation=2, hidden_irreps="8x0e + 8x1o"),
    "correlation4": dict(max_ell=2, correlation=4, hidden_irreps="4x0e + 4x1o"),
}


def read_blocks(path):
    """The frames of an extxyz file as text."""
    lines = Path(path).read_text().splitlines(keepends=True)
    blocks = []
    while lines:
        size = int(lines[0]) + 2
        blocks.append("".join(lines[:size]))
        lines = lines[size:]
    return blocks


def elements(block):
    return {line.split()[0] for line in block.splitlines()[2:]}


def pick_evenly(blocks):
    return [blocks[i] for i in np.linspace(0, len(blocks) - 1, 20).astype(int)]


def pick_small(blocks):
    """The first 20 frames with 2 to 40 atoms that keep to 25 elements in all."""
    picked, seen = [], set()
    for block in blocks:
        union = seen | elements(block)
        if len(picked) < 20 and 2 <= int(block.split()[0]) <= 40 and len(union) <= 25:
            picked.append(block)
            seen = union
    return picked


def make_batch(frames):
    table = tools.AtomicNumberTable(sorted({int(z) for f in frames for z in f.numbers}))
    configs = [data.config_from_atoms(frame) for frame in frames]
    graphs = [data.AtomicData.from_config(c, z_table=table, cutoff=R_MAX) for c in configs]
    return table.zs, Batch.from_data_list(graphs)


def make_model(zs, batch, seed, few, scaled=True, **changes):
    """Random weights; too few neighbours and large radial weights make forces of about 1 eV/A."""
    torch.manual_seed(seed)
    options = {**DEFAULTS, **changes}
    options["hidden_irreps"] = o3.Irreps(options["hidden_irreps"])
    if scaled:
        options.update(atomic_inter_scale=0.8, atomic_inter_shift=0.15)
    kind = modules.ScaleShiftMACE if scaled else modules.MACE
    model = kind(num_elements=len(zs), atomic_numbers=zs, atomic_energies=torch.randn(len(zs)),
                 avg_num_neighbors=batch.edge_index.shape[1] / batch.num_nodes / few, **options)
    for block in model.interactions:
        block.conv_tp_weights.layer0.weight.data *= 4
    return model


def evaluate(model, batch, periodic):
    out = model(batch.to_dict(), compute_stress=periodic)
    names = ["energy", "forces"] + ["stress"] * periodic
    return {name: out[name].detach().numpy() for name in names}


def write_models(out, prefix, frames, models, few, periodic):
    zs, batch = make_batch(frames)
    for seed, (name, changes) in enumerate(models.items()):
        model = make_model(zs, batch, seed, few, **changes)
        expected = evaluate(model, batch, periodic)
        save_file(expected, out / f"{prefix}_{name}_expected.safetensors")
        with tempfile.TemporaryDirectory() as folder:
            torch.save(model, f"{folder}/it.model")
            target = out / f"{prefix}_{name}.safetensors"
            subprocess.run([sys.executable, IMPORT, f"{folder}/it.model", target], check=True)
        energy, forces = expected["energy"] / np.bincount(batch.batch), expected["forces"]
        print(f"  {len(zs)} elements, {energy.mean():.3f} +- {energy.std():.3f} eV per atom, "
              f"RMS force {np.sqrt((forces ** 2).mean()):.3f} eV/A", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ["threebpa", "mptrj", "out"]:
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    hidden = {name: dict(hidden_irreps=irreps) for name, irreps in HIDDEN.items()}

    def write(prefix, source, pick, *options):
        path = args.out / f"{prefix}_20.xyz"
        path.write_text("".join(pick(read_blocks(source))))
        write_models(args.out, prefix, ase.io.read(path, ":"), *options)

    molecules, crystals = args.threebpa / "train_300K.xyz", args.mptrj / "mptrj-random-1k.xyz"
    write("3bpa", molecules, pick_evenly, {**hidden, **SPECIAL}, 3, False)
    write("mptrj", crystals, pick_small, hidden, 8, True)


if __name__ == "__main__":
    main()
