#!/usr/bin/env python3
"""Times the `mnist-mlp` recipe against the same model in PyTorch, turn by turn in one run.

    python3 bench/mnist_mlp.py [--bouton ./bouton] [--epochs 10] [--seeds 0 1 2] [--threads 1 2]

Both sides train on the same 60,000 images from memory, with the same OpenBLAS kernels: OpenBLAS 0.3.21 does not know the
newest processors and falls back to the oldest kernels there, so the kernels are named for both (SkylakeX where the
processor has AVX-512). PyTorch is also given raised malloc thresholds, which spares it mapping memory anew each step.
Bouton's epoch includes measuring the test set, PyTorch's does not.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
parser = argparse.ArgumentParser()
parser.add_argument("--bouton", default=str(here.parent / "bouton"))
parser.add_argument("--data", default=os.path.expanduser("~/.cache/bouton/data/mnist"))
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
arguments = parser.parse_args()

environment = dict(os.environ, OMP_WAIT_POLICY="passive")
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    environment.pop(name, None)
if "avx512bw" in pathlib.Path("/proc/cpuinfo").read_text():
    environment["OPENBLAS_CORETYPE"] = "SkylakeX"
rival_environment = dict(environment, MALLOC_MMAP_THRESHOLD_="4000000000", MALLOC_TRIM_THRESHOLD_="8000000000",
                         MALLOC_TOP_PAD_="100000000")


def bouton(threads, seed):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([arguments.bouton, "train", "mnist-mlp", "--epochs", str(arguments.epochs), "--threads", str(threads),
                               "--seed", str(seed), "--run", folder + "/run", "--json"],
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    epochs = json.loads(done.stdout)["epochs"]
    return [e["seconds"] for e in epochs], [e["test_accuracy"] for e in epochs]


def pytorch(threads, seed):
    done = subprocess.run(["/usr/bin/python3", str(here / "pytorch" / "mnist_mlp.py"), arguments.data, "--epochs", str(arguments.epochs),
                           "--threads", str(threads), "--seed", str(seed), "--validation", "0"],
                          env=rival_environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    result = json.loads(done.stdout)
    return result["seconds"], result["test_accuracy"]


for threads in arguments.threads:
    ratios = []
    for seed in arguments.seeds:
        ours, theirs = bouton(threads, seed), pytorch(threads, seed)
        mine, rival = statistics.median(ours[0]), statistics.median(theirs[0])
        ratios.append(rival / mine)
        print(f"threads {threads} seed {seed}: Bouton {mine:.3f} s an epoch, PyTorch {rival:.3f} s, ratio {rival / mine:.2f}")
        print("  Bouton ", " ".join(f"{a:.4f}" for a in ours[1]))
        print("  PyTorch", " ".join(f"{a:.4f}" for a in theirs[1]))
        sys.stdout.flush()
    print(f"threads {threads}: median ratio {statistics.median(ratios):.2f}")
