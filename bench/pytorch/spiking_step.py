#!/usr/bin/env python3
"""The rivals of bench_spiking_step: the same networks, loss and optimiser in PyTorch, in two forms.

    stepping   through time step by step, layer within step, the neurons written with tensor operations and a surrogate
               function of autograd's: what tools on top of PyTorch do and their users write
    layerwise  by an expert's hand: layer by layer over all steps at once, products with constant input once, the neurons a
               function of their own with its gradient written out, in place and in buffers made once a pass, images with
               their channels innermost

    python3 spiking_step.py FOLDER_OF_IDX_FILES --network mlp|conv --form stepping|layerwise [--threads N] [--steps N] [--epoch]

Prints one JSON object: milliseconds a step (median) by the clock and of processor time, spike rates, memory in MB beyond what
the process had before the network was made; with --epoch the test accuracy after one epoch.
"""
import argparse
import json
import pathlib
import statistics
import time

import numpy as np
import torch
from torch.nn import functional

STEPS, BATCH, SLOPE = 25, 128, 25.0


class FastSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, margin):
        ctx.save_for_backward(margin)
        return (margin > 0).float()

    @staticmethod
    def backward(ctx, grad):
        (margin,) = ctx.saved_tensors
        return grad / (SLOPE * margin.abs() + 1.0) ** 2


class Leaky(torch.nn.Module):
    """One step of leaky neurons, reset by subtraction one step after the spike."""

    def __init__(self, beta):
        super().__init__()
        self.beta = beta

    def forward(self, current, membrane):
        reset = (membrane > 1).float().detach()
        membrane = self.beta * membrane + current - reset
        return FastSigmoid.apply(membrane - 1), membrane


class LeakyScan(torch.autograd.Function):
    """The same over all steps. current: [time, ...] or, constant, [...]."""

    @staticmethod
    def forward(ctx, current, beta, constant):
        shape = current.shape if constant else current.shape[1:]
        margin = torch.empty((STEPS,) + tuple(shape))
        spikes = torch.empty_like(margin)
        if current.dim() == 4 + (not constant):   # as the images lie, channels innermost
            layout = (0, 1, 3, 4, 2)
            back = (0, 1, 4, 2, 3)
            margin = torch.empty([margin.shape[i] for i in layout]).permute(back)
            spikes = torch.empty([spikes.shape[i] for i in layout]).permute(back)
        membrane = torch.zeros_like(margin[0])
        for t in range(STEPS):
            membrane.mul_(beta).add_(current if constant else current[t])
            if t > 0:
                membrane.sub_(spikes[t - 1])
            torch.gt(membrane, 1, out=spikes[t])
            torch.sub(membrane, 1, out=margin[t])
        ctx.beta, ctx.constant = beta, constant
        ctx.save_for_backward(margin)
        return spikes

    @staticmethod
    def backward(ctx, grad):
        (margin,) = ctx.saved_tensors
        psi = margin.abs_().mul_(SLOPE).add_(1).square_().reciprocal_().mul_(grad)
        for t in range(STEPS - 2, -1, -1):
            psi[t].add_(psi[t + 1], alpha=ctx.beta)
        return (psi.sum(0) if ctx.constant else psi), None, None


class Mlp(torch.nn.Module):
    beta, rate, image = 0.9, 5e-4, False

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(784, 800), torch.nn.Linear(800, 10)
        self.neurons = Leaky(self.beta)

    def stepping(self, x):
        a, b = torch.zeros(len(x), 800), torch.zeros(len(x), 10)
        hidden, out = [], []
        for _ in range(STEPS):
            spikes, a = self.neurons(self.first(x), a)
            hidden.append(spikes)
            spikes, b = self.neurons(self.second(spikes), b)
            out.append(spikes)
        return [torch.stack(hidden), torch.stack(out)]

    def layerwise(self, x):
        hidden = LeakyScan.apply(self.first(x), self.beta, True)
        return [hidden, LeakyScan.apply(self.second(hidden), self.beta, False)]


class Conv(torch.nn.Module):
    beta, rate, image = 0.5, 1e-2, True

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(1, 12, 5), torch.nn.Conv2d(12, 64, 5)
        self.last = torch.nn.Linear(1024, 10)
        self.neurons = Leaky(self.beta)

    def stepping(self, x):
        a, b, c = torch.zeros(len(x), 12, 12, 12), torch.zeros(len(x), 64, 4, 4), torch.zeros(len(x), 10)
        rates, out = [], []
        for _ in range(STEPS):
            one, a = self.neurons(functional.max_pool2d(self.first(x), 2), a)
            two, b = self.neurons(functional.max_pool2d(self.second(one), 2), b)
            spikes, c = self.neurons(self.last(two.flatten(1)), c)
            rates.append((one.detach().mean(), two.detach().mean()))
            out.append(spikes)
        one, two = (torch.stack(r) for r in zip(*rates))
        return [one, two, torch.stack(out)]

    def layerwise(self, x):
        x = x.contiguous(memory_format=torch.channels_last)
        one = LeakyScan.apply(functional.max_pool2d(self.first(x), 2), self.beta, True)
        two = functional.max_pool2d(self.second(one.flatten(0, 1)), 2).unflatten(0, (STEPS, len(x)))
        two = LeakyScan.apply(two, self.beta, False)
        return [one, two, LeakyScan.apply(self.last(two.flatten(2)), self.beta, False)]


def read_idx(folder, stem):
    raw = (folder / stem).read_bytes()
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape).copy())


parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--network", choices=["mlp", "conv"], default="mlp")
parser.add_argument("--form", choices=["stepping", "layerwise"], default="stepping")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--warm", type=int, default=3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--epoch", action="store_true")
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
torch.manual_seed(arguments.seed)

kind = {"mlp": Mlp, "conv": Conv}[arguments.network]
shape = (-1, 1, 28, 28) if kind.image else (-1, 784)
images = read_idx(arguments.folder, "train-images-idx3-ubyte").reshape(shape)   # as bytes until a batch is made
labels = read_idx(arguments.folder, "train-labels-idx1-ubyte").long()
order = torch.randperm(len(images))
tiny = torch.ones(512, 512, requires_grad=True)   # brings in what the libraries need for any product and gradient
(tiny @ tiny).sum().backward()
del tiny


def status_kilobytes(key):
    return int(next(line for line in open("/proc/self/status") if line.startswith(key)).split()[1])


pathlib.Path("/proc/self/clear_refs").write_text("5")   # the peak counts from here
before = status_kilobytes("VmRSS:")
model = kind()
forward = getattr(model, arguments.form)
optimiser = torch.optim.Adam(model.parameters(), lr=kind.rate)
outputs = []


def step(number):
    global outputs
    index = order[number % (len(images) // BATCH) * BATCH :][:BATCH]
    x, y = images[index].float() / 255, labels[index]
    begin, processor = time.perf_counter(), time.process_time()
    optimiser.zero_grad(set_to_none=True)
    outputs = forward(x)
    functional.cross_entropy(outputs[-1].sum(0), y).backward()
    optimiser.step()
    times = time.perf_counter() - begin, time.process_time() - processor
    outputs = [o.detach() for o in outputs]
    return times


result = {"threads": arguments.threads}
if arguments.epoch:
    for number in range(len(images) // BATCH):
        step(number)
    test = read_idx(arguments.folder, "t10k-images-idx3-ubyte").reshape(shape).float() / 255
    test_labels = read_idx(arguments.folder, "t10k-labels-idx1-ubyte").long()
    with torch.no_grad():
        right = sum((forward(x)[-1].sum(0).argmax(1) == y).sum().item()
                    for x, y in zip(test.split(500), test_labels.split(500)))
    result["test_accuracy"] = right / len(test)
else:
    times = [step(number) for number in range(arguments.warm + arguments.steps)][arguments.warm :]
    result["ms"] = 1e3 * statistics.median(t[0] for t in times)
    result["processor_ms"] = 1e3 * statistics.median(t[1] for t in times)
    result["memory_mb"] = (status_kilobytes("VmHWM:") - before) / 1024
result["rates"] = [round(o.mean().item(), 4) for o in outputs]
print(json.dumps(result))
