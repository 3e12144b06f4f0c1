"""The operations of bench/kernels_workload.cpp by e3nn and mace-torch on the CPU.

    python kernels.py convolution_double [--threads 2]

convolution, contraction: mace-torch 0.3.16 with e3nn 0.4.4; harmonics: any e3nn (0.6.0 is the
fastest). NAME: value; NAME_gradient: with its gradient; NAME_double: with that gradient's own
gradient. Results are put in casimir's order, [rows, components, channels], before they are
compared; that is not timed.
"""

import contextlib
import io
import os
import warnings

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
warnings.filterwarnings("ignore")

import e3nn
import torch
from e3nn import o3

import server

CHANNELS, NODES, EDGES, ELEMENTS = 128, 135, 2242, 4
HIDDEN = o3.Irreps("128x0e + 128x1o + 128x2e")
MESSAGES = o3.Irreps("128x0e + 128x1o + 128x2e + 128x3o")


def tensor(name, shape):
    return torch.from_numpy(server.input_values(name, shape)).float()


def exchange(x, irreps, to_ours):
    """Between e3nn's order of a row, [channels, components] of each irrep, and casimir's."""
    parts = []
    for (mul, ir), at in zip(irreps, irreps.slices()):
        shape = (len(x), mul, ir.dim) if to_ours else (len(x), ir.dim, mul)
        parts.append(x[:, at].reshape(shape).transpose(1, 2).reshape(len(x), -1))
    return torch.cat(parts, dim=1).contiguous()


def theirs(x, irreps):
    return exchange(x, irreps, False)


def ours(x, irreps):
    return exchange(x, irreps, True)


def derivatives(order, inputs, compute, seed, seeds=()):
    """What is timed: `order` derivatives with respect to `inputs`; the second is that of the first
    gradients, as many as there are `seeds`."""
    def run():
        if order == 0:
            with torch.no_grad():
                return [compute()]
        first = inputs if order == 1 else inputs[:len(seeds)]
        gradient = torch.autograd.grad(compute(), first, seed, create_graph=order == 2)
        if order == 1:
            return gradient
        return torch.autograd.grad(gradient, inputs, seeds)

    return run


def edge_index():
    """Receivers in order, senders at random in the same molecule of 27 atoms."""
    receiver = torch.arange(EDGES) * NODES // EDGES
    place = ((torch.from_numpy(server.input_values("sender", (EDGES,))) + 2) * 1e6).long() % 27
    return receiver // 27 * 27 + place, receiver


def convolution(order):
    with contextlib.redirect_stdout(io.StringIO()):
        from mace.modules.irreps_tools import tp_out_irreps_with_instructions
        from mace.tools.scatter import scatter_sum
    harmonics = o3.Irreps.spherical_harmonics(3)
    out, instructions = tp_out_irreps_with_instructions(HIDDEN, harmonics, MESSAGES)
    product = o3.TensorProduct(HIDDEN, harmonics, out, instructions=instructions,
                               shared_weights=False, internal_weights=False)
    blocks = out.simplify()  # casimir's: the paths of one irrep side by side
    x = theirs(tensor("x", (NODES, HIDDEN.dim)), HIDDEN).requires_grad_()
    y = tensor("y", (EDGES, harmonics.dim)).requires_grad_()
    w = tensor("w", (EDGES, product.weight_numel)).requires_grad_()
    seed = theirs(tensor("seed", (NODES, out.dim)), blocks)
    seeds = [theirs(tensor("seed_x", x.shape), HIDDEN), tensor("seed_y", y.shape),
             tensor("seed_w", w.shape)]
    sender, receiver = edge_index()

    def compute():
        return scatter_sum(product(x[sender], y, w), receiver, dim=0, dim_size=NODES)

    def results():
        found = [part.detach() for part in run()]
        return [ours(found[0], HIDDEN if order else blocks), *found[1:]]

    run = derivatives(order, [x, y, w], compute, seed, seeds)
    return run, results, None


def contraction(order):
    with contextlib.redirect_stdout(io.StringIO()):
        from mace.modules.symmetric_contraction import SymmetricContraction
    module = SymmetricContraction(MESSAGES, HIDDEN, correlation=3, num_elements=ELEMENTS)
    weights = []  # in casimir's order
    for nu in (3, 2, 1):
        for (_, ir), part in zip(HIDDEN, module.contractions):
            weight = [part.weights_max, *part.weights][3 - nu]
            values = tensor(f"weight_{ir}_{nu}", tuple(weight.shape)) / weight.shape[1]
            weight.data.copy_(values)
            weights.append(weight)

    def features(name):
        return tensor(name, (NODES, 16, CHANNELS)).transpose(1, 2).contiguous()

    x = features("x").requires_grad_()
    seed = theirs(tensor("seed", (NODES, HIDDEN.dim)), HIDDEN)
    species = torch.nn.functional.one_hot(torch.arange(NODES) % ELEMENTS, ELEMENTS).float()

    def results():
        found = [part.detach() for part in run()]
        if order == 0:
            return [ours(found[0], HIDDEN)]
        return [found[0].transpose(1, 2), *found[1:]]

    run = derivatives(order, [x, *weights], lambda: module(x, species), seed,
                      [features("seed_x")])
    return run, results, None


def harmonics(order):
    rows = 100000
    module = o3.SphericalHarmonics(o3.Irreps.spherical_harmonics(3), normalize=True,
                                   normalization="component")
    vectors = tensor("vectors", (rows, 3)).requires_grad_()
    run = derivatives(order, [vectors], lambda: module(vectors), tensor("seed", (rows, 16)))
    return run, lambda: [part.detach() for part in run()], None


def main():
    args = server.add_arguments().parse_args()
    torch.set_num_threads(args.threads)
    kind, *rest = args.row.split("_")
    order = ["", "gradient", "double"].index(rest[0] if rest else "")
    make = {"convolution": convolution, "contraction": contraction, "harmonics": harmonics}[kind]
    version = f"e3nn {e3nn.__version__}, torch {torch.__version__}"
    if kind == "contraction":
        import mace
        version = f"mace-torch {mace.__version__}, {version}"
    server.serve(version, lambda: make(order))


if __name__ == "__main__":
    main()
