"""Coupling coefficients, Wigner D matrices, spherical harmonics, activation constants of e3nn.

Made with e3nn 0.4.4 and torch 2.15.0 (requirements.txt):

    python make_e3nn.py e3nn.safetensors

Every array is float64. The file holds
  cg/L1_L2_L3          wigner_3j(L1, L2, L3), [2 L1+1, 2 L2+1, 2 L3+1]: every L1 <= L2 <= L3 <= 6,
                       and forty other orders of such triples
  angles, rotation     [4, 3] Euler angles (alpha, beta, gamma: about y, x, y) and their [4, 3, 3]
  D/l                  [4, 2l+1, 2l+1], l <= 11, of those rotations
  vectors              [32, 3]: the six axes, then random ones of any length
  sh/NORMALIZATION/l   [32, 2l+1], l <= 11, of the directions of the vectors
  sh_raw/component/l   [32, 2l+1], of the vectors themselves: homogeneous polynomials of degree l
  silu_cst             [1]: factor that gives silu(z), z normal, a second moment of one;
                       also tanh_cst, sigmoid_cst
"""

import os
import sys

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")

import torch
from e3nn import o3
from e3nn.math import normalize2mom
from safetensors.torch import save_file

L_COUPLED = 6
L_MAX = 11


def coupling():
    ls = range(L_COUPLED + 1)
    triples = [(a, b, c) for a in ls for b in ls for c in ls if abs(a - b) <= c <= a + b]
    sorted_ones = [t for t in triples if t[0] <= t[1] <= t[2]]
    others = [t for t in triples if t not in sorted_ones]
    picked = [others[i] for i in torch.randperm(len(others))[:40]]
    return {"cg/%d_%d_%d" % t: o3.wigner_3j(*t) for t in sorted_ones + picked}


def rotations():
    alpha, beta, gamma = angles = o3.rand_angles(4)
    out = {"angles": torch.stack(angles, dim=1), "rotation": o3.angles_to_matrix(*angles)}
    for l in range(L_MAX + 1):
        out[f"D/{l}"] = o3.wigner_D(l, alpha, beta, gamma)
    return out


def harmonics():
    axes = torch.cat([torch.eye(3), -torch.eye(3)])
    vectors = torch.cat([axes, 2 * torch.randn(26, 3)])
    out = {"vectors": vectors}
    for l in range(L_MAX + 1):
        for name in ["component", "norm", "integral"]:
            out[f"sh/{name}/{l}"] = o3.spherical_harmonics(l, vectors, True, name)
        out[f"sh_raw/component/{l}"] = o3.spherical_harmonics(l, vectors, False, "component")
    return out


def constants():
    acts = {"silu": torch.nn.functional.silu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
    return {f"{name}_cst": torch.tensor([normalize2mom(f).cst]) for name, f in acts.items()}


def main(path):
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    arrays = {**coupling(), **rotations(), **harmonics(), **constants()}
    assert all(a.dtype == torch.float64 and a.isfinite().all() for a in arrays.values())
    save_file({name: a.contiguous() for name, a in arrays.items()}, path)
    for name in ["silu_cst", "tanh_cst", "sigmoid_cst"]:
        print(f"{name} {arrays[name].item():.17g}")


if __name__ == "__main__":
    main(sys.argv[1])
