#!/usr/bin/env python3
"""The rival of the `mnist-mlp` recipe: the same model, data order policy, loss and optimiser in PyTorch.

784-128-10, a sigmoid after both layers, cross-entropy over the sigmoids, Adam 1e-3, batch 64. The data lie in memory as one
float tensor and batches are slices of a shuffled index: the quickest way plain PyTorch offers (a DataLoader is slower).

    python3 mnist_mlp.py FOLDER_OF_IDX_FILES [--threads N] [--epochs N] [--seed N] [--validation N]

Prints one JSON object: seconds and test accuracy per epoch (evaluation not timed).
"""
import argparse
import json
import pathlib
import time

import numpy as np
import torch


def read_idx(folder, stem):
    raw = (folder / stem).read_bytes()
    dims = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(dims)]
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape).copy())


parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--validation", type=int, default=5000, help="training samples set aside, as the recipe does")
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
torch.manual_seed(arguments.seed)

images = read_idx(arguments.folder, "train-images-idx3-ubyte").reshape(-1, 784).float() / 255
labels = read_idx(arguments.folder, "train-labels-idx1-ubyte").long()
test_images = read_idx(arguments.folder, "t10k-images-idx3-ubyte").reshape(-1, 784).float() / 255
test_labels = read_idx(arguments.folder, "t10k-labels-idx1-ubyte").long()
if arguments.validation:
    keep = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))[arguments.validation :]
    images, labels = images[keep].contiguous(), labels[keep].contiguous()

model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.Sigmoid(), torch.nn.Linear(128, 10), torch.nn.Sigmoid())
optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_of = torch.nn.CrossEntropyLoss()
seconds, accuracy = [], []
for _ in range(arguments.epochs):
    begin = time.perf_counter()
    order = torch.randperm(len(images))
    for at in range(0, len(images), 64):
        index = order[at : at + 64]
        optimiser.zero_grad(set_to_none=True)
        loss_of(model(images[index]), labels[index]).backward()
        optimiser.step()
    seconds.append(time.perf_counter() - begin)
    with torch.no_grad():
        accuracy.append((model(test_images).argmax(1) == test_labels).float().mean().item())
print(json.dumps({"threads": arguments.threads, "seed": arguments.seed, "samples": len(images),
                  "seconds": [round(s, 4) for s in seconds], "test_accuracy": [round(a, 4) for a in accuracy]}))
