"""Energies, forces and stresses of small nequip models with random weights.

Made with nequip 0.19.1, e3nn 0.6.0, torch 2.15.0, ase 3.29.0 (requirements_nequip.txt), in float64,
from the frames 3bpa_20.xyz and mptrj_20.xyz that make_mace.py wrote:

    python make_nequip.py --out .

Writes per model NAME.safetensors, made by scripts/import_nequip.py from a checkpoint, and
NAME_expected.safetensors:
  energy  [20]                eV, with the shifts of the atoms
  forces  [atoms of all frames, 3]     eV/A
  stress  [20, 3, 3]          eV/A^3, dE/d(strain) / volume; periodic frames only

The presets S and M are stored with fewer features. For the whole presets there is no file of
weights: number i of the parameter that is number k in the file of the import (names sorted) is
sqrt(3) (2 u - 1), u = ((k 7919 + i) 2654435761 mod 2^32) / 2^32. PREFIX_nequip_preset_s and _m
also hold the constants that the test makes the model with:
  elements  [elements]        atomic numbers
  atomic_energies  [elements]         eV
  avg_num_neighbors  [1]
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import ase.data
import ase.io
import numpy as np
import torch
from nequip.data import AtomicDataDict, compute_neighborlist_, from_ase
from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper
from nequip.train import NequIPLightningModule
from nequip.utils import get_current_code_versions
from nequip.utils.global_state import set_global_state
from safetensors.numpy import save_file

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
import import_nequip

R_MAX = 5.0
S = dict(num_layers=2, l_max=1, num_features=[16, 8], parity=False, type_embed_num_features=4,
         radial_mlp_width=16)
M = dict(S, num_layers=4, l_max=2, num_features=[16, 8, 4])
PARITY = dict(num_layers=3, l_max=2, parity=True, num_features=[8, 6, 4], radial_mlp_width=16)
BY_TYPE = {"H": 0.6, "C": 1.4, "N": 0.9, "O": 1.1}
MOLECULES = {
    "s": S,
    "m": M,
    "parity": PARITY,
    # Odd scalars reach the energy after six layers.
    "odd_scalars": dict(num_layers=6, l_max=1, parity=True, num_features=4, radial_mlp_width=8),
    "special": dict(num_layers=3, l_max=3, parity=True, num_features=[6, 4, 3, 2],
                    type_embed_num_features=1, radial_mlp_depth=2, radial_mlp_width=8,
                    readout_mlp_hidden_layers_depth=1, readout_mlp_hidden_layers_width=5,
                    num_bessels=6, bessel_trainable=True, polynomial_cutoff_p=5,
                    per_type_energy_scales=BY_TYPE,
                    avg_num_neighbors={"H": 4.0, "C": 3.0, "N": 5.0, "O": 6.0}),
    "no_self_connection": dict(PARITY, parity=False, _target_="full"),
}
BOOST = {"odd_scalars": 8, "special": 1}  # of the radial weights; 4 for the others
CRYSTALS = {"s": S, "m": M, "parity": PARITY}


def make_frames(frames, symbols):
    mapper = ChemicalSpeciesToAtomTypeMapper(symbols)
    result = []
    for frame in frames:
        bare = ase.Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
        result.append(compute_neighborlist_(mapper(from_ase(bare)), R_MAX))
    return result


def full_options(options):
    """The same model by FullNequIPGNNModel, which alone can leave out the self-connections."""
    options = dict(options)
    depth, width = options.pop("num_layers"), options.pop("radial_mlp_width")
    features, l_max = options.pop("num_features"), options.pop("l_max")
    hidden = import_nequip.hidden_irreps(features, options.pop("parity"))
    return dict(options, _target_="nequip.model.FullNequIPGNNModel", convnet_sc=False,
                radial_mlp_depth=[1] * depth, radial_mlp_width=[width] * depth,
                feature_irreps_hidden=[str(hidden)] * (depth - 1) + [f"{features[0]}x0e"],
                irreps_edge_sh=str(import_nequip.o3.Irreps.spherical_harmonics(l_max)),
                type_embed_num_features=features[0])


def make_module(symbols, neighbors, seed, changes):
    """A training module as nequip's trainings save it; symbols not in order, to be sorted."""
    generator = torch.Generator().manual_seed(seed)
    shifts = dict(zip(symbols, torch.randn(len(symbols), generator=generator).tolist()))
    options = dict(_target_="nequip.model.NequIPGNNModel", seed=seed, model_dtype="float64",
                   r_max=R_MAX, type_names=symbols, avg_num_neighbors=neighbors,
                   per_type_energy_scales=0.8, per_type_energy_shifts=shifts)
    options.update(full_options(changes) if changes.get("_target_") == "full" else changes)
    info = {"versions": get_current_code_versions(verbose=False),
            "training_module": {"_target_": "nequip.train.NequIPLightningModule"}}
    module = NequIPLightningModule(options, {"train": 1, "val": 0, "test": 0}, info_dict=info)
    basis = module.model.sole_model.model.func.bessel_encode
    if basis.trainable:
        basis.bessel_weights.data += 0.1 * torch.randn(basis.num_bessels, generator=generator)
    return module


def save_checkpoint(module, path):
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams),
                "pytorch-lightning_version": "2.6.6"}, path)


def evaluate(model, frames, periodic):
    parts = {"energy": [], "forces": [], "stress": []}
    for frame in frames:
        out = model(frame.copy())
        parts["energy"].append(out[AtomicDataDict.TOTAL_ENERGY_KEY].detach().reshape(1))
        parts["forces"].append(out[AtomicDataDict.FORCE_KEY].detach())
        parts["stress"].append(out[AtomicDataDict.STRESS_KEY].detach().reshape(1, 3, 3))
    if not periodic:
        del parts["stress"]
    return {name: torch.cat(values).numpy() for name, values in parts.items()}


def report(name, expected, frames):
    sizes = [len(frame["pos"]) for frame in frames]
    energy, forces = expected["energy"] / sizes, expected["forces"]
    print(f"  {name}: {energy.mean():.3f} +- {energy.std():.3f} eV per atom, "
          f"RMS force {np.sqrt((forces ** 2).mean()):.3f} eV/A", flush=True)


def read_frames(out, prefix):
    atoms = ase.io.read(out / f"{prefix}_20.xyz", ":")
    symbols = sorted({s for frame in atoms for s in frame.get_chemical_symbols()}, reverse=True)
    frames = make_frames(atoms, symbols)
    edges = sum(frame["edge_index"].shape[1] for frame in frames)
    return symbols, frames, edges / sum(map(len, atoms))


def write_models(out, prefix, models, few, periodic):
    """Too few neighbours and large radial weights make forces of 0.4 to 40 eV/A, and a change of
    1 % in tanh one of 1e-5 in the forces of odd_scalars."""
    symbols, frames, neighbors = read_frames(out, prefix)
    for seed, (name, changes) in enumerate(models.items()):
        module = make_module(symbols, neighbors / few, seed, changes)
        for layer in module.model.sole_model.model.func.children():
            if hasattr(layer, "conv"):
                layer.conv.edge_mlp.mlp[0].weight.data *= BOOST.get(name, 4)
        expected = evaluate(module.model.sole_model, frames, periodic)
        save_file(expected, out / f"{prefix}_nequip_{name}_expected.safetensors")
        with tempfile.TemporaryDirectory() as folder:
            save_checkpoint(module, f"{folder}/it.ckpt")
            target = out / f"{prefix}_nequip_{name}.safetensors"
            subprocess.run([sys.executable, SCRIPTS / "import_nequip.py", f"{folder}/it.ckpt",
                            target], check=True)
        report(name, expected, frames)


def fill(module):
    """Sets the weights by the formula above. Numbered weights show where the import takes each."""
    model = module.model.sole_model
    parameters = list(model.parameters())
    count = 0
    for parameter in parameters:
        parameter.data = torch.arange(count, count + parameter.numel(),
                                      dtype=torch.float64).reshape(parameter.shape)
        count += parameter.numel()
    arrays, _ = import_nequip.convert(model)
    flat = np.full(count, np.nan)
    names = sorted(name for name in arrays if "." in name)  # the constants have no dot
    for k, name in enumerate(names):
        i = np.arange(arrays[name].size, dtype=np.uint64)
        u = (np.uint64(k * 7919) + i) * np.uint64(2654435761) % np.uint64(2 ** 32) / 2.0 ** 32
        flat[arrays[name].astype(np.int64).ravel()] = np.sqrt(3.0) * (2 * u - 1)
    assert not np.isnan(flat).any()
    count = 0
    for parameter in parameters:
        values = torch.from_numpy(flat[count:count + parameter.numel()])
        parameter.data = values.reshape(parameter.shape)
        count += parameter.numel()


def write_presets(out, prefix, periodic):
    symbols, frames, neighbors = read_frames(out, prefix)
    for preset in "SM":
        module = make_module(symbols, neighbors, 0, {
            "preset": preset, "_target_": "nequip.model.PresetNequIPGNNModel"})
        fill(module)
        expected = evaluate(module.model.sole_model, frames, periodic)
        report(f"preset {preset}", expected, frames)
        arrays, _ = import_nequip.convert(module.model.sole_model)
        expected.update({name: arrays[name] for name in ("atomic_energies", "avg_num_neighbors")})
        numbers = [ase.data.atomic_numbers[symbol] for symbol in symbols]
        expected["elements"] = np.sort(numbers).astype(np.int32)
        name = f"{prefix}_nequip_preset_{preset.lower()}_expected.safetensors"
        save_file(expected, out / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    set_global_state()
    write_models(out, "3bpa", MOLECULES, 3, False)
    write_models(out, "mptrj", CRYSTALS, 8, True)
    write_presets(out, "3bpa", False)
    write_presets(out, "mptrj", True)


if __name__ == "__main__":
    main()
