"""Layers of e3nn: inputs, weights, outputs and gradients.

Made with e3nn 0.4.4 and torch 2.15.0 (requirements.txt):

    python make_e3nn_layers.py e3nn_layers.safetensors

Every array is float64, rows stored mul_ir as e3nn's are. A case NAME holds what goes in (NAME/x1,
NAME/x2, NAME/weight, ... as e3nn names them), the output NAME/out, and NAME/grad/INPUT, gradients
of sum(out * NAME/seed). The cases, with their irreps and options, are written out here and again in
tests/e3nn_layers_test.cpp.
"""

import os
import sys

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")

import torch
from e3nn import nn, o3
from safetensors.torch import save_file

ROWS = 2
arrays = {}


def record(name, f, **inputs):
    """f(**inputs), its inputs, output and gradients; inputs that are None are left out."""
    given = {key: x for key, x in inputs.items() if x is not None}
    inputs = {key: x.detach().clone().requires_grad_() for key, x in given.items()}
    out = f(**inputs)
    seed = torch.randn_like(out)
    grads = torch.autograd.grad((out * seed).sum(), list(inputs.values()))
    arrays.update({f"{name}/{key}": x.detach() for key, x in inputs.items()})
    arrays.update({f"{name}/out": out.detach(), f"{name}/seed": seed})
    arrays.update({f"{name}/grad/{key}": g for key, g in zip(inputs, grads)})


def record_product(name, product, shared=True):
    x1, x2 = product.irreps_in1.randn(ROWS, -1), product.irreps_in2.randn(ROWS, -1)
    numel = product.weight_numel
    weight = torch.randn(numel) if shared else torch.randn(ROWS, numel)
    record(name, lambda x1, x2, weight=None: product(x1, x2, weight),
           x1=x1, x2=x2, weight=weight if numel else None)


def products():
    modes = {
        # name: in1, in2, out, paths
        "uvw": ("2x0e+3x1o+1x6e", "2x0e+2x1o+1x5o", "2x1o+2x2e+2x6e+1x1o", [
            (0, 1, 0, "uvw", True), (1, 0, 0, "uvw", True, 2.0), (1, 1, 1, "uvw", True),
            (2, 0, 2, "uvw", True), (1, 2, 2, "uvw", True, 0.5), (2, 2, 3, "uvw", True)]),
        "uvu": ("2x0e+3x1o", "2x0e+1x1o+4x2e", "2x1o+3x1o+3x2o+2x2e", [
            (0, 1, 0, "uvu", True), (1, 0, 1, "uvu", True), (1, 2, 1, "uvu", True, 3.0),
            (1, 2, 2, "uvu", False), (0, 2, 3, "uvu", True)]),
        "uvv": ("2x0e+1x1o+4x2e", "2x0e+3x1o", "2x1o+3x1o+3x2o+2x2e", [
            (1, 0, 0, "uvv", True), (0, 1, 1, "uvv", True), (2, 1, 1, "uvv", True, 3.0),
            (2, 1, 2, "uvv", False), (2, 0, 3, "uvv", True)]),
        "uuw": ("3x0e+2x1o+4x6e", "3x1e+2x1o+4x6e", "2x1e+3x0e+1x0e+2x3e", [
            (0, 0, 0, "uuw", True), (1, 1, 1, "uuw", True), (2, 2, 1, "uuw", True, 2.0),
            (1, 1, 2, "uuw", False), (2, 2, 3, "uuw", True), (2, 2, 2, "uuw", False)]),
        "uuu": ("3x0e+2x1o+2x6e", "3x1e+2x1o+2x5o", "3x1e+2x0e+2x2e+2x1o+2x3o", [
            (0, 0, 0, "uuu", True), (1, 1, 1, "uuu", False), (1, 1, 2, "uuu", True, 0.3),
            (2, 2, 3, "uuu", True), (2, 2, 4, "uuu", False)]),
        "uvuv": ("2x0e+3x1o+1x4e", "2x1o+1x3o+3x0e", "4x1o+6x2e+3x4e+9x1o+1x5o+3x4e", [
            (0, 0, 0, "uvuv", True), (1, 0, 1, "uvuv", False), (1, 1, 2, "uvuv", True),
            (1, 2, 3, "uvuv", True), (2, 1, 4, "uvuv", True), (2, 2, 5, "uvuv", False)]),
        "mixed": ("3x0e+2x1o", "2x1o+3x0e", "3x1o+2x1o+3x0e+6x1o", [
            (0, 0, 0, "uvu", True), (0, 0, 1, "uvv", True), (1, 1, 1, "uvu", True),
            (1, 0, 2, "uvw", True), (1, 0, 2, "uuw", True), (0, 1, 2, "uuu", True),
            (0, 0, 3, "uvuv", True), (1, 1, 0, "uvw", True)]),
    }
    for name, (in1, in2, out, paths) in modes.items():
        for irrep, path, shared in [("component", "element", True), ("norm", "path", False),
                                    ("none", "none", True)]:
            product = o3.TensorProduct(
                in1, in2, out, paths, irrep_normalization=irrep, path_normalization=path,
                internal_weights=False, shared_weights=shared)
            record_product(f"{name}/{irrep}", product, shared)
    # The products whose paths e3nn chooses.
    for irrep, path in [("component", "element"), ("norm", "path")]:
        product = o3.FullyConnectedTensorProduct(
            "2x0e+2x1o+1x2e", "2x0e+1x1o", "3x0e+2x1o+2x1e+2x2e", irrep_normalization=irrep,
            path_normalization=path, internal_weights=False, shared_weights=path == "element")
        record_product(f"fully/{irrep}", product, path == "element")
    full, elementwise = o3.FullTensorProduct, o3.ElementwiseTensorProduct
    record_product("full", full("2x0e+2x1o", "1x0o+2x1o+1x2e"))
    record_product("full/kept", full("2x0e+2x1o", "1x0o+2x1o+1x2e", ["0e", "1e", "1o"]))
    record_product("full/norm", full("1x6e", "1x5o+1x6e", ["1o", "6e", "11o"],
                                     irrep_normalization="norm"))
    in1, in2 = "3x0e+2x1o+2x2e", "3x1o+2x1e+2x2e"
    record_product("elementwise", elementwise(in1, in2))
    record_product("elementwise/kept", elementwise(in1, in2, ["0e", "1o"]))


def linears():
    cases = {
        "all": dict(irreps_in="2x0e+3x1o+4x0e+1x2e", irreps_out="3x0e+2x1o+2x0e+1x3e"),
        "some": dict(irreps_in="3x0e+3x0e+2x0e+2x1o", irreps_out="2x0e+3x0e+2x1o",
                     instructions=[(0, 0), (1, 0), (1, 1), (2, 1), (3, 2), (2, 0)]),
    }
    for name, case in cases.items():
        for path in ["element", "path"]:
            linear = o3.Linear(**case, path_normalization=path, biases=True, internal_weights=False,
                               shared_weights=True)
            record(f"linear/{name}/{path}", lambda x, weight, bias: linear(x, weight, bias),
                   x=linear.irreps_in.randn(ROWS, -1), weight=torch.randn(linear.weight_numel),
                   bias=torch.randn(linear.bias_numel))


def norms():
    irreps = o3.Irreps("2x0e+1x0o+2x1o+1x6e")
    x = irreps.randn(ROWS, -1)
    for squared in [True, False]:
        record(f"norm/{'squared' if squared else 'root'}", o3.Norm(irreps, squared), features=x)
    small = x * torch.tensor([1.0, 1e-3])[:, None]
    for name, function in [("sigmoid", torch.sigmoid), ("silu", torch.nn.functional.silu)]:
        case = f"norm_activation/{name}"
        record(case, nn.NormActivation(irreps, function), features=x)
        layer = nn.NormActivation(irreps, function, epsilon=0.01)
        record(f"{case}/epsilon", layer, features=small)
        layer = nn.NormActivation(irreps, function, bias=True)

        def biased(features, biases):
            layer.__dict__["_parameters"]["biases"] = biases
            return layer(features)

        record(f"{case}/bias", biased, features=x, biases=torch.randn(irreps.num_irreps))

        # e3nn 0.4.4 refuses normalize=False (it compares None with 0): its forward, of its parts.
        norm = o3.Norm(irreps)
        times = o3.ElementwiseTensorProduct(norm.irreps_out, irreps)
        record(f"{case}/plain", lambda features: times(function(norm(features)), features),
               features=x)


def batch_norms():
    irreps = o3.Irreps("3x0e+2x0o+2x1o+1x2e")
    for normalization in ["component", "norm"]:
        for reduce in ["mean", "max"]:
            for instance in [False, True]:
                affine = (normalization == "component") == (reduce == "mean")
                layer = nn.BatchNorm(irreps, affine=affine, reduce=reduce, instance=instance,
                                     momentum=0.3, normalization=normalization)
                kind = "instance" if instance else "batch"
                name = f"batch_norm/{normalization}/{reduce}/{kind}"
                record_batch_norm(name, layer, irreps)


def record_batch_norm(name, layer, irreps):
    x = 2 * irreps.randn(3, 2, -1) + 0.5

    def call(input, weight=None, bias=None):
        if weight is not None:
            layer.__dict__["_parameters"].update(weight=weight, bias=bias)
        return layer(input)

    affine = {}
    if layer.affine:
        affine = dict(weight=1 + torch.randn(irreps.num_irreps), bias=torch.randn(3))
    record(name + "/training", call, input=x, **affine)
    if not layer.instance:
        arrays[name + "/running_mean"] = layer.running_mean.clone()
        arrays[name + "/running_var"] = layer.running_var.clone()
    layer.eval()
    record(name + "/evaluation", call, input=x, **affine)


def grids():
    for normalization in ["component", "norm", "integral"]:
        for l_max, res in [(2, (6, 5)), (3, (8, 8)), (6, (14, 13))]:
            name = f"{normalization}/{l_max}"
            to = o3.ToS2Grid(l_max, res, normalization, dtype=torch.float64)
            back = o3.FromS2Grid(res, l_max, normalization, dtype=torch.float64)
            record(f"to_grid/{name}", to, x=torch.randn(1, (l_max + 1) ** 2))
            record(f"from_grid/{name}", back, x=torch.randn(1, *res))
            arrays[f"grid/{l_max}"] = to.grid
    back = o3.FromS2Grid((10, 9), 2, "component", lmax_in=4, dtype=torch.float64)
    record("from_grid/lower", back, x=torch.randn(2, 10, 9))


def main(path):
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    products()
    linears()
    norms()
    batch_norms()
    grids()
    assert all(a.dtype == torch.float64 and a.isfinite().all() for a in arrays.values())
    save_file({name: a.contiguous() for name, a in arrays.items()}, path)
    print(f"{len(arrays)} arrays, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
