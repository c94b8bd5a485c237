#!/usr/bin/env python3
"""Times the `mnist-mlp` recipe against the same model in PyTorch, turn by turn in one run.

    python3 bench/mnist_mlp.py [--bouton ./bouton] [--epochs 10] [--seeds 0 1 2] [--threads 1 2]

Both sides train on the same 60,000 images from memory, with the same OpenBLAS kernels: OpenBLAS 0.3.21 does not know the
newest processors and falls back to the oldest kernels there, so the kernels are named for both (SkylakeX where the
processor has AVX-512). PyTorch is also given raised malloc thresholds, which spares it mapping memory anew each step.
Bouton's epoch includes measuring the test set, PyTorch's does not.

Beside the time on the clock stands the processor time, which other programs on the machine disturb less: of a whole run, less
that of a run of one epoch, over the epochs between. It includes the test set on both sides.
"""
import argparse
import json
import os
import pathlib
import resource
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


def run(words, surroundings):
    """What the command printed, and the processor seconds it took."""
    def used():
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime
    before = used()
    done = subprocess.run(words, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout), used() - before


def bouton(threads, seed, epochs):
    with tempfile.TemporaryDirectory() as folder:
        result, processor = run([arguments.bouton, "train", "mnist-mlp", "--epochs", str(epochs), "--threads", str(threads),
                                 "--seed", str(seed), "--run", folder + "/run", "--json"], environment)
    return [e["seconds"] for e in result["epochs"]], [e["test_accuracy"] for e in result["epochs"]], processor


def pytorch(threads, seed, epochs):
    result, processor = run(["/usr/bin/python3", str(here / "pytorch" / "mnist_mlp.py"), arguments.data, "--epochs", str(epochs),
                             "--threads", str(threads), "--seed", str(seed), "--validation", "0"], rival_environment)
    return result["seconds"], result["test_accuracy"], processor


def measured(program, threads, seed):
    """Seconds an epoch by the clock (median) and by the processor, and the accuracies."""
    seconds, accuracies, processor = program(threads, seed, arguments.epochs)
    one = program(threads, seed, 1)[2]
    return statistics.median(seconds), (processor - one) / (arguments.epochs - 1), accuracies


if arguments.epochs < 2:
    parser.error("--epochs must be at least 2")
for threads in arguments.threads:
    ratios, processor_ratios = [], []
    for seed in arguments.seeds:
        ours, theirs = measured(bouton, threads, seed), measured(pytorch, threads, seed)
        ratios.append(theirs[0] / ours[0])
        processor_ratios.append(theirs[1] / ours[1])
        print(f"threads {threads} seed {seed}: Bouton {ours[0]:.3f} s an epoch, PyTorch {theirs[0]:.3f} s, ratio {ratios[-1]:.2f}; "
              f"processor {ours[1]:.3f} s, {theirs[1]:.3f} s, ratio {processor_ratios[-1]:.2f}")
        print("  Bouton ", " ".join(f"{a:.4f}" for a in ours[2]))
        print("  PyTorch", " ".join(f"{a:.4f}" for a in theirs[2]))
        sys.stdout.flush()
    print(f"threads {threads}: median ratio {statistics.median(ratios):.2f}, of processor time {statistics.median(processor_ratios):.2f}")
