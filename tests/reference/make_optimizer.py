#!/usr/bin/env python3
"""Weights of a small problem after some steps of torch's optimizers, and learning rates of its
plateau schedule: optimizer.json.

    python make_optimizer.py

Needs torch (made with 2.15.0). The problem: 12 weights, of which the first 8 are decayed; the
gradient at step t (from 0) is a_i w_i + b_i cos(t + i) e^(-0.15 t), clipped to norm 2 by torch's
own function. The average follows torch_ema (github.com/fadel/pytorch_ema): with n the number of the
update from 1, shadow -= (1 - min(0.99, (1 + n) / (10 + n))) (shadow - weight).
"""

import json
import math
import os

import torch

COUNT, DECAYED, STEPS = 12, 8, 25
LR, BETAS, EPSILON, DECAY, CLIP, EMA = 0.03, (0.8, 0.9), 1e-6, 0.05, 2.0, 0.99


def start(i):
    return math.sin(1.0 + 2.0 * i)


def gradient(i, t, w):
    return (0.1 + 0.05 * i) * w + (3.0 + 0.2 * i) * math.cos(t + i) * math.exp(-0.15 * t)


def make(kind, groups):
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=LR, betas=BETAS, eps=EPSILON)
    return torch.optim.Adam(groups, lr=LR, betas=BETAS, eps=EPSILON, amsgrad=kind == "amsgrad")


def run(kind):
    w = torch.tensor([start(i) for i in range(COUNT)], dtype=torch.float64)
    decayed = torch.nn.Parameter(w[:DECAYED].clone())
    free = torch.nn.Parameter(w[DECAYED:].clone())
    optimizer = make(kind, [{"params": [decayed], "weight_decay": DECAY},
                            {"params": [free], "weight_decay": 0.0}])
    shadow, norms = w.clone(), []
    for t in range(STEPS):
        now = torch.cat([decayed, free]).detach()
        g = torch.tensor([gradient(i, t, now[i].item()) for i in range(COUNT)], dtype=torch.float64)
        decayed.grad, free.grad = g[:DECAYED].clone(), g[DECAYED:].clone()
        norms.append(torch.nn.utils.clip_grad_norm_([decayed, free], CLIP).item())
        optimizer.step()
        now = torch.cat([decayed, free]).detach()
        n = t + 1
        shadow -= (1 - min(EMA, (1 + n) / (10 + n))) * (shadow - now)
    return {"weights": now.tolist(), "average": shadow.tolist(), "norms": norms}


def plateau():
    """Losses that fall, stall and fall again; the rates after each."""
    w = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([w], lr=0.01)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2,
                                                          min_lr=0.001)
    losses = [1.0, 0.9, 0.95, 0.9, 0.8999999, 0.91, 0.85, 0.86, 0.87, 0.88, 0.89, 0.9, 0.91, 0.92,
              0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0]
    rates = []
    for loss in losses:
        schedule.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return {"losses": losses, "rates": rates}


def main():
    content = {"torch": torch.__version__.split("+")[0], "plateau": plateau()}
    for kind in ["adam", "adamw", "amsgrad"]:
        content[kind] = run(kind)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "optimizer.json")
    with open(path, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
