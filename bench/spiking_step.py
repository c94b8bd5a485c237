#!/usr/bin/env python3
"""Training steps of spiking networks in Bouton and in PyTorch, in turns in one run.

    python3 bench/spiking_step.py [--program build/release/bin/bench_spiking_step] [--networks mlp conv] [--threads 1 2]
                                  [--rounds 3] [--accuracy]

Each side is a process of its own, one after the other, so that nothing of one disturbs the other; all with the same OpenBLAS
kernels. PyTorch is given raised malloc thresholds, which spares it mapping memory anew each step. Processor time is what counts
on a machine with other work; times of the clock are fair on an idle one. See bench/pytorch/spiking_step.py for the two forms in
which PyTorch runs. The floor is explained in bench/spiking_step.cpp.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess

here = pathlib.Path(__file__).resolve().parent
parser = argparse.ArgumentParser()
parser.add_argument("--program", default=str(here.parent / "build" / "release" / "bin" / "bench_spiking_step"))
parser.add_argument("--data", default=os.path.expanduser("~/.cache/bouton/data/mnist"))
parser.add_argument("--networks", nargs="+", default=["mlp", "conv"])
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--accuracy", action="store_true", help="trains one epoch of each instead and tests")
parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
arguments = parser.parse_args()

environment = dict(os.environ, OMP_WAIT_POLICY="passive")
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    environment.pop(name, None)
rival_environment = dict(environment, MALLOC_MMAP_THRESHOLD_="4000000000", MALLOC_TRIM_THRESHOLD_="8000000000",
                         MALLOC_TOP_PAD_="100000000")


def run(words, surroundings):
    done = subprocess.run([str(w) for w in words], env=surroundings, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def bouton(network, *more):
    result = run([arguments.program, "--network", network, "--data", arguments.data, *more], environment)
    result["rates"] = [round(value, 4) for key, value in result.items() if key.startswith("rate_")]
    return result


def pytorch(form, network, *more):
    return run(["/usr/bin/python3", here / "pytorch" / "spiking_step.py", arguments.data, "--network", network, "--form", form,
                *more], rival_environment)


sides = {"Bouton": bouton,
         "stepping": lambda *words: pytorch("stepping", *words),
         "layerwise": lambda *words: pytorch("layerwise", *words)}
if arguments.accuracy:
    for network in arguments.networks:
        for seed in arguments.seeds:
            results = {name: side(network, "--epoch", "--seed", seed, "--threads", arguments.threads[0])
                       for name, side in sides.items()}
            print(network, "seed", seed, *(f"{name} {r['test_accuracy']:.4f} (rates {r['rates']})" for name, r in results.items()),
                  flush=True)
    raise SystemExit

for network in arguments.networks:
    for threads in arguments.threads:
        turns = {name: [] for name in sides}
        for _ in range(arguments.rounds):
            for name, side in sides.items():
                turns[name].append(side(network, "--threads", threads, "--steps", arguments.steps))
        median = lambda name, key: statistics.median(r[key] for r in turns[name])
        floor, own = median("Bouton", "floor_ms"), median("Bouton", "processor_ms")
        print(f"{network}, {threads} thread(s): floor {floor:.2f} ms of processor time ({median('Bouton', 'gflops'):.0f} GFLOP/s a thread)")
        for name in sides:
            least, processor = min(r["ms"] for r in turns[name]), median(name, "processor_ms")
            print(f"  {name:10} by the clock {median(name, 'ms'):8.2f} ms (least {least:.2f}), processor {processor:8.2f} ms, "
                  f"{processor / floor:5.1f} times the floor, {processor / own:5.1f} times Bouton, "
                  f"memory {median(name, 'memory_mb'):6.1f} MB, rates {turns[name][-1]['rates']}", flush=True)
