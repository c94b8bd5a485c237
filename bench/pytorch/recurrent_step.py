#!/usr/bin/env python3
"""The rivals of bench_recurrent_step: the same network, loss and optimiser in PyTorch, in two forms.

    stepping   through time step by step, every neuron step written with tensor operations and a surrogate function of
               autograd's: what tools on top of PyTorch do and their users write
    layerwise  by an expert's hand: the products with input and read-out over all steps at once, the recurrent layer a
               function of its own with its gradient written out, one product a step in each direction and one over all
               steps for the weights

    python3 recurrent_step.py --form stepping|layerwise [--batch N] [--threads N] [--steps N]

Prints one JSON object: milliseconds a step (median) by the clock and of processor time, spikes a neuron and step, memory in MB
beyond what the process had before the network was made.
"""
import argparse
import json
import math
import pathlib
import statistics
import time

import torch
from torch.nn import functional

INPUTS, HIDDEN, CLASSES, STEPS, RATE, BETA = 700, 256, 20, 100, 0.02, 0.9


class Arctan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, margin):
        ctx.save_for_backward(margin)
        return (margin > 0).float()

    @staticmethod
    def backward(ctx, grad):
        (margin,) = ctx.saved_tensors
        return grad / (1 + (math.pi * margin) ** 2)


def leaky(current, membrane):
    reset = (membrane > 1).float().detach()
    membrane = BETA * membrane + current - reset
    return Arctan.apply(membrane - 1), membrane


class Scan(torch.autograd.Function):
    """Leaky neurons over all steps, with feedback through `weight` unless it is None."""

    @staticmethod
    def forward(ctx, current, weight):
        margin, spikes = torch.empty_like(current), torch.empty_like(current)
        membrane = torch.zeros_like(current[0])
        for t in range(STEPS):
            membrane.mul_(BETA).add_(current[t])
            if t > 0:
                membrane.sub_(spikes[t - 1])
                if weight is not None:
                    membrane.addmm_(spikes[t - 1], weight.t())
            torch.gt(membrane, 1, out=spikes[t])
            torch.sub(membrane, 1, out=margin[t])
        ctx.save_for_backward(margin, spikes, weight)
        return spikes

    @staticmethod
    def backward(ctx, grad):
        margin, spikes, weight = ctx.saved_tensors
        psi = margin.mul_(math.pi).square_().add_(1).reciprocal_()
        if weight is None:
            gradient = psi.mul_(grad)
            for t in range(STEPS - 2, -1, -1):
                gradient[t].add_(gradient[t + 1], alpha=BETA)
            return gradient, None
        gradient, arriving = torch.empty_like(psi), torch.empty_like(psi[0])
        torch.mul(psi[-1], grad[-1], out=gradient[-1])
        for t in range(STEPS - 2, -1, -1):
            torch.addmm(grad[t], gradient[t + 1], weight, out=arriving)
            torch.mul(psi[t], arriving, out=gradient[t])
            gradient[t].add_(gradient[t + 1], alpha=BETA)
        return gradient, gradient[1:].reshape(-1, HIDDEN).t() @ spikes[:-1].reshape(-1, HIDDEN)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Linear(INPUTS, HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)
        self.recurrent = torch.nn.Linear(HIDDEN, HIDDEN, bias=False)
        for layer in (self.first, self.recurrent, self.last):   # as in bench/recurrent_step.cpp
            torch.nn.init.normal_(layer.weight, 0, 0.2 if layer is self.last else 0.08)
        for layer in (self.first, self.last):
            torch.nn.init.zeros_(layer.bias)

    def stepping(self, x):
        a, b = torch.zeros(x.shape[1], HIDDEN), torch.zeros(x.shape[1], CLASSES)
        spikes = torch.zeros_like(a)
        hidden, out = [], []
        for t in range(STEPS):
            spikes, a = leaky(self.first(x[t]) + self.recurrent(spikes), a)
            hidden.append(spikes)
            fired, b = leaky(self.last(spikes), b)
            out.append(fired)
        return torch.stack(hidden), torch.stack(out)

    def layerwise(self, x):
        hidden = Scan.apply(self.first(x), self.recurrent.weight)
        return hidden, Scan.apply(self.last(hidden), None)


parser = argparse.ArgumentParser()
parser.add_argument("--form", choices=["stepping", "layerwise"], default="stepping")
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--steps", type=int, default=15)
parser.add_argument("--warm", type=int, default=3)
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
torch.manual_seed(0)
x = (torch.rand(STEPS, arguments.batch, INPUTS) < RATE).float()
labels = torch.randint(CLASSES, (arguments.batch,))
torch.ones(512, 512) @ torch.ones(512, 512)   # brings the libraries' own memory in


def status_kilobytes(key):
    return int(next(line for line in open("/proc/self/status") if line.startswith(key)).split()[1])


pathlib.Path("/proc/self/clear_refs").write_text("5")   # the peak counts from here
before = status_kilobytes("VmRSS:")
model = Model()
forward = getattr(model, arguments.form)
optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)
wall, processor = [], []
for number in range(arguments.warm + arguments.steps):
    begin, busy = time.perf_counter(), time.process_time()
    optimiser.zero_grad(set_to_none=True)
    hidden, out = forward(x)
    functional.cross_entropy(out.sum(0), labels).backward()
    optimiser.step()
    if number >= arguments.warm:
        wall.append(1e3 * (time.perf_counter() - begin))
        processor.append(1e3 * (time.process_time() - busy))
    rate = hidden.detach().mean().item()
    del hidden, out
print(json.dumps({"threads": arguments.threads, "ms": statistics.median(wall), "least_ms": min(wall),
                  "processor_ms": statistics.median(processor), "rate": rate,
                  "memory_mb": (status_kilobytes("VmHWM:") - before) / 1024}))
