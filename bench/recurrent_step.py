#!/usr/bin/env python3
"""Training steps of a recurrent spiking network in Bouton and in PyTorch, in turns in one run.

    python3 bench/recurrent_step.py [--program build/release/bin/bench_recurrent_step] [--batches 64 256] [--threads 1 2]
                                    [--rounds 3]

Each side is a process of its own, one after the other; all with the same OpenBLAS kernels. PyTorch is given raised malloc
thresholds, which spares it mapping memory anew each step. See bench/pytorch/recurrent_step.py for the two forms in which
PyTorch runs. The floor is explained in bench/recurrent_step.cpp.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess

here = pathlib.Path(__file__).resolve().parent
parser = argparse.ArgumentParser()
parser.add_argument("--program", default=str(here.parent / "build" / "release" / "bin" / "bench_recurrent_step"))
parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
parser.add_argument("--rounds", type=int, default=3)
arguments = parser.parse_args()

environment = dict(os.environ, OMP_WAIT_POLICY="passive")
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    environment.pop(name, None)
rival_environment = dict(environment, MALLOC_MMAP_THRESHOLD_="4000000000", MALLOC_TRIM_THRESHOLD_="8000000000",
                         MALLOC_TOP_PAD_="100000000")


def run(words, surroundings):
    done = subprocess.run([str(w) for w in words], env=surroundings, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


rival = here / "pytorch" / "recurrent_step.py"
sides = {"Bouton": lambda *words: run([arguments.program, *words], environment),
         "stepping": lambda *words: run(["/usr/bin/python3", rival, "--form", "stepping", *words], rival_environment),
         "layerwise": lambda *words: run(["/usr/bin/python3", rival, "--form", "layerwise", *words], rival_environment)}
for batch in arguments.batches:
    for threads in arguments.threads:
        turns = {name: [] for name in sides}
        for _ in range(arguments.rounds):
            for name, side in sides.items():
                turns[name].append(side("--batch", batch, "--threads", threads))
        median = lambda name, key: statistics.median(r[key] for r in turns[name])
        floor = median("Bouton", "floor_ms") / threads
        print(f"batch {batch}, {threads} thread(s): floor {floor:.2f} ms ({median('Bouton', 'gflops'):.0f} GFLOP/s a thread)")
        for name in sides:
            print(f"  {name:10} {median(name, 'ms'):8.2f} ms (least {min(r['least_ms'] for r in turns[name]):.2f}), processor "
                  f"{median(name, 'processor_ms'):8.2f} ms, {median(name, 'ms') / floor:5.1f} times the floor, "
                  f"{median(name, 'ms') / median('Bouton', 'ms'):5.1f} times Bouton, memory {median(name, 'memory_mb'):6.1f} MB, "
                  f"rate {turns[name][-1]['rate']:.3f}", flush=True)
