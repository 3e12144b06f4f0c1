#!/usr/bin/env python3
"""Turn a trained nequip model into a casimir model file.

    python import_nequip.py IN OUT.safetensors

Needs nequip (tried with 0.19.1, e3nn 0.6.0 and torch 2.15.0), numpy and safetensors. IN is a
checkpoint (.ckpt) of a training or a package (.nequip.zip): pickles, which can run code, so import
only what you trust.

Reads NequIPGNNModel and its presets, in float32 or float64, with the chemical symbols as type
names. A feature that casimir does not have ends with one line that names it, exit code 1 and no
output file.

The output holds nequip's own weights, as matrices [in, out] to be applied as x @ W and divided by
the square root of their fan-in. Its metadata entry "config" is the JSON of the model section.
"""

import json
import math
import os
import sys
import warnings

warnings.filterwarnings("ignore")

import numpy as np
import torch
from ase.data import atomic_numbers
from e3nn import o3
from safetensors.numpy import save_file


class Unsupported(Exception):
    """Names the feature that casimir does not have."""


def need(ok, feature):
    if not ok:
        raise Unsupported(feature)


def need_class(module, name, what):
    """By name: the classes of a package are not those of the installed nequip."""
    need(type(module).__name__ == name, f"{what} of class {type(module).__name__}")


def load(path):
    from nequip.model.saved_models.load_utils import load_saved_model
    from nequip.utils.global_state import set_global_state

    set_global_state()
    return load_saved_model(path)


def hidden_irreps(num_features, parity):
    """NequIPGNNModel's features between the layers."""
    return o3.Irreps([(mul, (l, p)) for l, mul in enumerate(num_features)
                      for p in ((1, -1) if parity else ((-1) ** l,))])


def our_place(ir):
    """Casimir's order of the features: as nequip's, but 0o before 0e."""
    return (ir.l, ir.p if ir.l == 0 else -ir.p)


def path_orders(tp):
    """nequip's columns of the radial weights, and its rows of linear_2 for each irrep, in casimir's
    order of the paths."""
    paths, column, row = [], 0, {}
    for i in tp.instructions:
        need(i.connection_mode == "uvu" and i.has_weight, "tensor product paths other than uvu")
        mul, ir = tp.irreps_in1[i.i_in1]
        edge, out = tp.irreps_in2[i.i_in2], tp.irreps_out[i.i_out]
        need(edge.mul == 1 and out.mul == mul, "several harmonics of one degree")
        start = row.get(out.ir, 0)
        paths.append(((out.ir.l, out.ir.p), our_place(ir), edge.ir.l, out.ir, column, start, mul))
        column, row[out.ir] = column + mul, start + mul
    columns, rows = [], {}
    for *_, out, column, start, mul in sorted(paths, key=lambda path: path[:3]):
        columns += range(column, column + mul)
        rows.setdefault(out, []).extend(range(start, start + mul))
    return columns, rows


def by_irrep(module, cls, what):
    """{irrep: weight} of a Linear or FullyConnectedTensorProduct with one path for each output."""
    need_class(module, cls, what)
    need(getattr(module, "bias_numel", 0) == 0, f"{what} with biases")
    found = {}
    for _, path, weight in module.weight_views(yield_instruction=True):
        ir = module.irreps_out[path.i_out].ir
        need(ir not in found, f"{what}: several blocks of {ir}")
        found[ir] = weight
    return found


def mlp_weights(function, what):
    """The matrices of a ScalarMLPFunction, and its hidden sizes."""
    need_class(function, "ScalarMLPFunction", what)
    layers = list(function.mlp) if isinstance(function.mlp, torch.nn.Sequential) else []
    linear, between = layers[::2], layers[1::2]
    silu = all(type(f).__name__ == "SiLU" for f in between)
    need(linear and silu, f"{what}: nonlinearity not silu")
    for k, layer in enumerate(linear):
        need_class(layer, "ScalarLinearLayer", what)
        need(layer.bias is None, f"{what} with biases")
        need(not hasattr(layer, "parametrizations"), f"{what} with a parametrization")
        alpha = (math.sqrt(2) if k else 1) / math.sqrt(layer.in_features)
        need(math.isclose(float(layer.alpha), alpha, rel_tol=1e-6), f"{what}: forward_weight_init")
    return [layer.weight for layer in linear], list(function.dims[1:-1])


def import_layer(layer, hidden, at):
    """The tensors of one layer by name, its radial sizes, factors of neighbours, if it skips."""
    block, gate = layer.conv, layer.equivariant_nonlin
    need_class(block, "InteractionBlock", f"{at}.conv")
    need_class(gate, "Gate", f"{at} nonlinearity")
    need(not layer.resnet, "convnet_resnet")
    acts = [(ir.p, act.f) for part in (gate.act_scalars, gate.act_gates)
            for (_, ir), act in zip(part.irreps_in, part.acts)]
    need(all(f is {1: torch.nn.functional.silu, -1: torch.tanh}[p] for p, f in acts),
         f"{at}: nonlinearities other than silu and tanh")
    need(gate.irreps_gates.num_irreps == 0 or gate.irreps_gates.regroup()[0].ir == o3.Irrep("0e"),
         f"{at}: odd gates")
    need(layer.feature_irreps_hidden == hidden, f"{at} features {layer.feature_irreps_hidden}")
    weights, sizes = mlp_weights(block.edge_mlp, f"{at}.edge_mlp")
    columns, rows = path_orders(block.tp_scatter.tp)
    weights[-1] = weights[-1][:, columns]
    out = {f"radial.layer_{k}.weight": weight for k, weight in enumerate(weights)}
    for ir, weight in by_irrep(block.linear_1, "Linear", f"{at}.linear_1").items():
        out[f"linear_1.weight_{ir}"] = weight
    for ir, weight in by_irrep(block.linear_2, "Linear", f"{at}.linear_2").items():
        out[f"linear_2.weight_{ir}"] = weight[rows[ir]]
    if block.sc is not None:
        skips = by_irrep(block.sc, "FullyConnectedTensorProduct", f"{at}.sc")
        for ir, weight in skips.items():  # [in, embedding, out]; of one embedding channel: no axis
            weight = weight.transpose(0, 1)
            out[f"self_connection.weight_{ir}"] = weight[0] if len(weight) == 1 else weight
    return out, sizes, block.avg_num_neighbors_norm.norm_const, block.sc is not None


def import_layers(layers, num_features, parity):
    hidden, last = hidden_irreps(num_features, parity), o3.Irreps([(num_features[0], "0e")])
    tensors, sizes, norms, skips = {}, [], [], []
    for i, layer in enumerate(layers):
        need_class(layer, "ConvNetLayer", f"layer {i}")
        found, *rest = import_layer(layer, last if layer is layers[-1] else hidden, f"layer {i}")
        tensors.update({f"layers.{i}.{name}": tensor for name, tensor in found.items()})
        for values, value in zip((sizes, norms, skips), rest):
            values.append(value)
    need(all(s == sizes[0] for s in sizes), "different radial MLPs")
    need(all(torch.equal(norm, norms[0]) for norm in norms), "different avg_num_neighbors")
    need(not skips[0], "self-connection in the first layer (learnable_shift)")
    need(len(set(skips[1:])) < 2, "self-connections in some layers")
    neighbors = norms[0].detach().double().reshape(-1) ** -2
    return tensors, {"radial_mlp": sizes[0], "self_connection": all(skips[1:])}, neighbors


def import_radial(parts):
    """r_max, basis and cutoff, and the trained frequencies."""
    norm, basis, factor = (parts[name] for name in ("edge_norm", "bessel_encode", "factor"))
    need_class(norm, "EdgeLengthNormalizer", "edge_norm")
    need_class(basis, "BesselEdgeLengthEncoding", "bessel_encode")
    need(not norm._per_edge_type, "per_edge_type_cutoff")
    need(math.isclose(factor.factor, 2 * math.pi / norm.r_max ** 2), f"factor {factor.factor}")
    p, count = float(basis.cutoff.p), basis.num_bessels
    need(p == int(p), f"polynomial_cutoff_p = {p}")
    roots = basis.bessel_weights.detach()
    plain = torch.equal(roots.flatten(), torch.arange(1, count + 1).to(roots))
    tensors = {} if plain and not basis.trainable else {"bessel.roots": roots}
    return tensors, {"r_max": norm.r_max, "num_bessel": count, "num_polynomial_cutoff": int(p),
                     "bessel_trainable": bool(tensors)}


def import_constants(shift_scale, neighbors, symbols, order):
    """Constants, and the options by element."""
    need_class(shift_scale, "PerTypeScaleShift", "per_type_energy_scale_shift")

    def values(name, fallback):
        found = getattr(shift_scale, name).detach().double().reshape(-1)
        return found if len(found) else torch.tensor([fallback], dtype=torch.float64)

    def by_element(found):
        return dict(zip(symbols, found[order].tolist())) if len(found) > 1 else {}

    scales, shifts = values("scales", 1.0), values("shifts", 0.0)
    constants = {"atomic_energies": shifts.expand(len(symbols))[order],
                 "avg_num_neighbors": neighbors.mean(), "shift": torch.zeros(1),
                 "scale": scales if len(scales) == 1 else torch.ones(1)}
    config = {"per_type_energy_scales": by_element(scales),
              "per_type_avg_num_neighbors": by_element(neighbors)}
    return ({name: v.double().reshape(-1) for name, v in constants.items()},
            {name: v for name, v in config.items() if v})


def features_of(layers, l_max):
    """num_features and parity; one layer has no features of l > 0."""
    hidden = layers[0].feature_irreps_hidden
    if len(layers) == 1:
        return [hidden.dim] * (l_max + 1), True
    num_features = [mul for mul, ir in hidden if ir.p == (-1) ** ir.l]
    return num_features, hidden == hidden_irreps(num_features, True)


def convert(model):
    """All tensors by name, and the model section of the config."""
    need_class(model.model, "ForceStressOutput", "output")
    parts = dict(model.model.func.named_children())
    layers = [module for name, module in parts.items() if name.endswith("_convnet")]
    known = {"type_embed", "spharm", "edge_norm", "bessel_encode", "factor", "total_energy_sum",
             "per_atom_energy_readout", "per_type_energy_scale_shift",
             *(f"layer{i}_convnet" for i in range(len(layers)))}
    for name, module in parts.items():
        need(name in known, f"{name} ({type(module).__name__})")
    dtypes = {p.dtype for p in parts["layer0_convnet"].parameters()}
    need(len(dtypes) == 1, "parameters of several dtypes")
    for name in model.type_names:
        need(name in atomic_numbers, f"type '{name}', not a chemical symbol")
    symbols = sorted(model.type_names, key=atomic_numbers.get)
    order = [model.type_names.index(symbol) for symbol in symbols]
    embed, harmonics = parts["type_embed"], parts["spharm"].sh
    need(not embed.do_categorical_graph_field_embed, "categorical_graph_field_embed")
    l_max = harmonics.irreps_out.lmax
    need(harmonics.irreps_out == o3.Irreps.spherical_harmonics(l_max) and harmonics.normalize
         and harmonics.normalization == "component", "spherical harmonics normalization")

    embedding = embed.embed_module.weight[order]
    tensors = {"type_embedding.weight": embedding}
    num_features, parity = features_of(layers, l_max)
    found, config, neighbors = import_layers(layers, num_features, parity)
    readout, readout_mlp = mlp_weights(parts["per_atom_energy_readout"].mlp_module, "readout")
    radial, radial_config = import_radial(parts)
    constants, by_element = import_constants(parts["per_type_energy_scale_shift"], neighbors,
                                             symbols, order)
    readout = {f"readout.layer_{k}.weight": weight for k, weight in enumerate(readout)}
    for some in (found, readout, radial, constants):
        tensors.update(some)
    config.update(kind="nequip", num_layers=len(layers), l_max=l_max, parity=parity,
                  num_features=num_features, type_embed_num_features=embedding.shape[1],
                  readout_mlp=readout_mlp, elements=symbols,
                  dtype=str(dtypes.pop()).removeprefix("torch."), **radial_config, **by_element)
    arrays = {k: np.ascontiguousarray(t.detach().cpu().numpy()) for k, t in tensors.items()}
    return arrays, {"model": config}


def save(path, arrays, config):
    metadata = {"format": "casimir-model", "version": "1", "config": json.dumps(config)}
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        save_file(arrays, temporary, metadata=metadata)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def main(arguments):
    if len(arguments) != 2:
        print("usage: import_nequip.py IN OUT.safetensors", file=sys.stderr)
        return 2
    source, target = arguments
    try:
        arrays, config = convert(load(source))
        save(target, arrays, config)
    except Unsupported as error:
        print(f"{source}: casimir does not support: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        print(f"{source}: {type(error).__name__}: {reason}", file=sys.stderr)
        return 1
    total = sum(a.size for a in arrays.values())
    print(f"{target}: {len(arrays)} tensors, {total} numbers, {config['model']['dtype']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
