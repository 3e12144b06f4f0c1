#!/usr/bin/env python3
"""Turn a trained mace-torch model into a casimir model file.

    python import_mace.py IN.model OUT.safetensors

Needs mace-torch (tried with 0.3.16 and torch 2.15.0), numpy and safetensors. IN.model is what
mace-torch's training writes: a pickle, which can run code, so import only what you trust.

Reads MACE and ScaleShiftMACE with the blocks RealAgnosticInteractionBlock and
RealAgnosticResidualInteractionBlock, in float32 or float64. A feature that casimir does not have
ends with one line that names it, exit code 1 and no output file.

The output holds mace-torch's own weights, as matrices [in, out] to be applied as x @ W and divided
by the square root of their fan-in. Its metadata entry "config" is the JSON of the model section.
"""

import contextlib
import io
import json
import os
import sys
import warnings

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
warnings.filterwarnings("ignore")

import numpy as np
import torch

with contextlib.redirect_stdout(io.StringIO()):
    from ase.data import chemical_symbols
    from e3nn import nn, o3
    from mace import modules
    from mace.tools.cg import U_matrix_real
from safetensors.numpy import save_file

BLOCKS = {
    modules.RealAgnosticInteractionBlock: "non_residual",
    modules.RealAgnosticResidualInteractionBlock: "residual",
}


class Unsupported(Exception):
    """Names the feature that casimir does not have."""


def need(ok, feature):
    if not ok:
        raise Unsupported(feature)


def need_class(module, cls, what):
    need(type(module) is cls, f"{what} of class {type(module).__module__}.{type(module).__name__}")


def natural(l):
    """The irrep of degree l with the parity of the spherical harmonics."""
    return o3.Irrep(l, (-1) ** l)


def uniform(mul, l_max):
    """mul channels of each degree up to l_max."""
    return o3.Irreps([(mul, natural(l)) for l in range(l_max + 1)])


def number(tensor):
    """The shortest decimal that the tensor's dtype rounds to its value: 5.1, not 5.0999999."""
    return float(str(tensor.detach().cpu().numpy().reshape(())[()]))


def load(path):
    model = torch.load(path, map_location="cpu", weights_only=False)
    need(not isinstance(model, torch.jit.ScriptModule), "TorchScript module")
    need(isinstance(model, torch.nn.Module), f"{type(model).__name__} (a checkpoint?), not a model")
    return model


def check_model(model):
    """Everything outside the layers that changes the energy."""
    kinds = [modules.MACE, modules.ScaleShiftMACE]
    need(type(model) in kinds, f"model class {type(model).__name__}")
    heads = getattr(model, "heads", None) or ["Default"]
    need(len(heads) == 1, f"several heads: {', '.join(map(str, heads))}")
    need(not hasattr(model, "pair_repulsion_fn"), "pair_repulsion (ZBL)")
    need(not hasattr(model, "joint_embedding"), "embedding_specs (joint embedding)")
    for flag in ["use_so3", "use_agnostic_product", "use_last_readout_only", "edge_irreps"]:
        need(not getattr(model, flag, None), flag)
    need(getattr(model, "apply_cutoff", True), "apply_cutoff = False")
    dtypes = {p.dtype for p in model.parameters()}
    need(len(dtypes) == 1, "parameters of several dtypes")
    need(dtypes <= {torch.float32, torch.float64}, f"dtype {str(dtypes)[7:-1]}")
    need(len(model.interactions) > 1, "num_interactions = 1 (no nonlinear readout)")
    known = {modules.LinearNodeEmbeddingBlock, modules.RadialEmbeddingBlock, o3.SphericalHarmonics,
             modules.AtomicEnergiesBlock, modules.ScaleShiftBlock, torch.nn.ModuleList}
    for name, child in model.named_children():
        need(type(child) in known, f"{name} ({type(child).__name__})")


def check_angular(sh):
    need(sh.normalize and sh.normalization == "component", "spherical harmonics normalization")
    l_max = sh.irreps_out.lmax
    need(sh.irreps_out == uniform(1, l_max), f"spherical harmonics {sh.irreps_out} (use_so3)")
    need(1 <= l_max <= 4, f"l_max = {l_max}")
    return l_max


def check_radial(radial, r_max):
    basis, cutoff = radial.bessel_fn, radial.cutoff_fn
    need(type(basis) is modules.BesselBasis, f"radial_type {type(basis).__name__}")
    need(not hasattr(radial, "distance_transform"),
         f"distance_transform {type(getattr(radial, 'distance_transform', None)).__name__}")
    need(getattr(radial, "apply_cutoff", True), "apply_cutoff = False")
    need_class(cutoff, modules.PolynomialCutoff, "cutoff")
    radii = [number(cutoff.r_max), number(basis.r_max)]
    need(np.allclose(radii, r_max), "r_max different in basis, cutoff and model")
    expected = np.pi / r_max * np.arange(1, basis.bessel_weights.numel() + 1)
    found = basis.bessel_weights.detach().double().numpy()
    need(np.allclose(found, expected, rtol=1e-6), "trained bessel_weights, not n pi / r_max")
    p = cutoff.p.item()
    need(p == int(p) and p >= 2, f"num_polynomial_cutoff = {p}")
    return basis.bessel_weights.numel(), int(p)


def linear_weights(linear, what):
    """{irrep: [in, out]}; the rows of one irrep are its input slots, one after the other."""
    need_class(linear, o3.Linear, what)
    need(linear.bias_numel == 0, f"{what} with biases")
    blocks = {}
    for _, path, weight in linear.weight_views(yield_instruction=True):
        ir = linear.irreps_out[path.i_out].ir
        need(linear.irreps_out.count(ir) == linear.irreps_out[path.i_out].mul, f"{what} irreps")
        blocks.setdefault(str(ir), []).append(weight)
    return {ir: torch.cat(weights) for ir, weights in blocks.items()}


def skip_weights(skip, order, what):
    """{irrep: [elements, in, out]}, elements in ascending Z."""
    need_class(skip, o3.FullyConnectedTensorProduct, what)
    views = skip.weight_views(yield_instruction=True)
    return {str(skip.irreps_out[path.i_out].ir): weight.transpose(0, 1)[order]
            for _, path, weight in views}


def radial_weights(net, what):
    need_class(net, nn.FullyConnectedNet, what)
    layers = list(net)
    for layer in layers[:-1]:
        need(layer.act.f is torch.nn.functional.silu, f"{what} activation {layer.act.f}")
    need(layers[-1].act is None, f"{what} output activation")
    need(all(layer.var_in == layer.var_out == 1 for layer in layers), f"{what} variance")
    return [layer.weight for layer in layers]


def import_interaction(block, node_irreps, hidden, l_max, order, at):
    """The tensors of one interaction, by name."""
    mul = hidden[0].mul
    target = uniform(mul, l_max)
    need(block.target_irreps == target, f"{at} target irreps {block.target_irreps}")
    need(getattr(block, "edge_irreps", node_irreps) == node_irreps, f"{at} edge_irreps")
    tp = block.conv_tp
    need_class(tp, o3.TensorProduct, f"{at}.conv_tp")
    paths = [(a, b, c) for c in range(l_max + 1) for a in range(node_irreps.lmax + 1)
             for b in range(l_max + 1) if abs(a - b) <= c <= a + b and (a + b + c) % 2 == 0]
    found = [(tp.irreps_in1[i.i_in1].ir.l, tp.irreps_in2[i.i_in2].ir.l, tp.irreps_out[i.i_out].ir.l)
             for i in tp.instructions if i.connection_mode == "uvu"]
    need(found == paths, f"{at}.conv_tp paths")
    need([i.i_out for i in tp.instructions] == list(range(len(paths))), f"{at}.conv_tp order")

    out = {f"radial.layer_{k}.weight": weight
           for k, weight in enumerate(radial_weights(block.conv_tp_weights, f"{at}.radial"))}
    parts = {"linear_up": linear_weights(block.linear_up, f"{at}.linear_up"),
             "linear": linear_weights(block.linear, f"{at}.linear"),
             "skip": skip_weights(block.skip_tp, order, f"{at}.skip_tp")}
    residual = BLOCKS[type(block)] == "residual"
    skipped = [str(ir) for _, ir in (node_irreps if residual else target)]
    skipped = [ir for ir in skipped if not residual or ir in hidden]
    need(list(parts["skip"]) == skipped, f"{at}.skip_tp irreps")
    for part, weights in parts.items():
        out.update({f"{part}.weight_{ir}": weight for ir, weight in weights.items()})
    return out


def check_basis(contraction, nu, l_max, l_out, what):
    """The weights mean something only in the basis that casimir rebuilds."""
    found = contraction.U_tensors(nu)
    with contextlib.redirect_stdout(io.StringIO()):
        plain = U_matrix_real(uniform(1, l_max), o3.Irreps([natural(l_out)]), nu,
                              dtype=torch.float64, use_cueq_cg=False)[-1]
    need(found.shape[-1] == plain.shape[-1],
         f"use_reduced_cg ({what} has {found.shape[-1]} paths, the plain basis {plain.shape[-1]})")
    need(torch.allclose(found.double(), plain, atol=1e-6), f"{what}: basis other than e3nn's")


def import_product(block, inputs, outputs, order, at):
    """The tensors of one product block, by name, and its correlation."""
    contractions = block.symmetric_contractions
    need(type(contractions).__name__ == "SymmetricContraction",
         f"{at}.symmetric_contractions of class {type(contractions).__name__}")
    need(block.linear.irreps_out == outputs and contractions.irreps_in == inputs, f"{at} irreps")
    out = {}
    for c, (_, ir) in zip(contractions.contractions, outputs):
        need(1 <= c.correlation <= 4, f"{at} correlation = {c.correlation}")
        for nu, weight in zip(range(c.correlation, 0, -1), [c.weights_max, *c.weights]):
            name = f"contraction.weight_{ir}_{nu}"
            check_basis(c, nu, inputs.lmax, ir.l, f"{at}.{name}")
            need(len(weight) == len(order), f"{at} without elements (use_agnostic_product)")
            out[name] = weight[order]
    correlations = {c.correlation for c in contractions.contractions}
    need(len(correlations) == 1, f"{at} several correlations in one layer")
    weights = linear_weights(block.linear, f"{at}.linear")
    out.update({f"linear.weight_{ir}": weight for ir, weight in weights.items()})
    return out, correlations.pop()


def import_readouts(readouts):
    """The tensors of all readouts, by name, and the hidden irreps of the last."""
    out = {}
    for i, block in enumerate(readouts[:-1]):
        need_class(block, modules.LinearReadoutBlock, f"readouts.{i}")
        out[f"{i}.linear.weight_0e"] = linear_weights(block.linear, f"readouts.{i}")["0e"]
    last, i = readouts[-1], len(readouts) - 1
    need_class(last, modules.NonLinearReadoutBlock, f"readouts.{i}")
    irreps = o3.Irreps(last.hidden_irreps)
    need(len(irreps) == 1 and irreps[0].ir == o3.Irrep("0e"), f"readout irreps {irreps}")
    act = last.non_linearity.acts[0]
    gate = act if act is None else act.f
    need(gate is torch.nn.functional.silu, f"gate {getattr(gate, '__name__', gate)}")
    for part in ["linear_1", "linear_2"]:
        weights = linear_weights(getattr(last, part), f"readouts.{i}.{part}")
        out[f"{i}.{part}.weight_0e"] = weights["0e"]
    return out, str(irreps)


def hidden_irreps(model, l_max):
    hidden = o3.Irreps(model.products[0].linear.irreps_out)
    ok = hidden == uniform(hidden[0].mul, hidden.lmax) and hidden.lmax <= 2
    need(ok, f"hidden_irreps {hidden}")
    need(hidden.lmax <= l_max, f"hidden_irreps {hidden} above l_max = {l_max}")
    return hidden


def import_layers(model, l_max, order):
    """The tensors of interactions and products, and their part of the config."""
    hidden = hidden_irreps(model, l_max)
    scalars = o3.Irreps([hidden[0]])
    out, correlation, kinds, sizes = {}, [], [], []
    inputs = scalars
    for i, (block, product) in enumerate(zip(model.interactions, model.products)):
        need(type(block) in BLOCKS, f"interaction block {type(block).__name__}")
        outputs = hidden if i + 1 < len(model.interactions) else scalars
        last = o3.Irreps(product.linear.irreps_out)
        need(last == outputs, f"products.{i} irreps {last} (keep_last_layer_irreps?)")
        tensors = import_interaction(block, inputs, outputs, l_max, order, f"interactions.{i}")
        out.update({f"interactions.{i}.{name}": t for name, t in tensors.items()})
        tensors, nu = import_product(product, uniform(hidden[0].mul, l_max), outputs, order,
                                     f"products.{i}")
        out.update({f"products.{i}.{name}": t for name, t in tensors.items()})
        need(product.use_sc == (BLOCKS[type(block)] == "residual") or i, f"products.{i} use_sc")
        correlation.append(nu)
        kinds.append(BLOCKS[type(block)])
        sizes.append(list(block.conv_tp_weights.hs[1:-1]))
        inputs = hidden
    need(len(set(kinds[1:])) == 1, "different interaction blocks after the first")
    need(all(s == sizes[0] for s in sizes), "different radial MLPs")
    return out, {"hidden_irreps": str(hidden), "correlation": correlation, "radial_mlp": sizes[0],
                 "interaction_first": kinds[0], "interaction": kinds[1]}


def import_constants(model, order):
    neighbors = {float(block.avg_num_neighbors) for block in model.interactions}
    need(len(neighbors) == 1, "different avg_num_neighbors")
    scaled = getattr(model, "scale_shift", None)
    energies = torch.atleast_2d(model.atomic_energies_fn.atomic_energies)
    values = {"atomic_energies": energies[0, order],
              "avg_num_neighbors": neighbors.pop(),
              "scale": 1.0 if scaled is None else scaled.scale,
              "shift": 0.0 if scaled is None else scaled.shift}
    return {name: torch.as_tensor(v, dtype=torch.float64).reshape(-1) for name, v in values.items()}


def convert(model):
    """All tensors by name, and the model section of the config."""
    check_model(model)
    l_max = check_angular(model.spherical_harmonics)
    r_max = number(model.r_max)
    num_bessel, p = check_radial(model.radial_embedding, r_max)
    order = torch.argsort(model.atomic_numbers)

    embedding = linear_weights(model.node_embedding.linear, "node_embedding")["0e"]
    tensors = {"node_embedding.weight": embedding[order], **import_constants(model, order)}
    layers, config = import_layers(model, l_max, order)
    readouts, readout_irreps = import_readouts(model.readouts)
    tensors.update(layers)
    tensors.update({f"readouts.{name}": t for name, t in readouts.items()})
    elements = [chemical_symbols[z] for z in model.atomic_numbers[order].tolist()]
    config.update(kind="mace", r_max=r_max, l_max=l_max, num_interactions=len(model.interactions),
                  num_bessel=num_bessel, num_polynomial_cutoff=p, readout_irreps=readout_irreps,
                  elements=elements, dtype=str(embedding.dtype).removeprefix("torch."))
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
        print("usage: import_mace.py IN.model OUT.safetensors", file=sys.stderr)
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
