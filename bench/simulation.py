#!/usr/bin/env python3
"""Times Bouton's simulator against Brian2's C++ standalone mode, turn by turn in one run, on one thread each.

    python3 bench/simulation.py [--bouton ./bouton] [--cases brunel-poisson ...] [--repeats 5] [--seconds 2] [--single]

CPU seconds per second of biological time, without compilation and construction, each side after a settling time: Brian2
as its generated program measures its own run, Bouton as `bouton simulate --json` reports its own. The same networks:
bench/brian2/*.py there, bench/simulation/*.toml and recipes/*.toml here. The rates on both sides are printed, so that
equal work is seen. Brian2 computes in double as its users run it; --single lets it compute in float, as Bouton does by
default. Debian's python3-brian is needed.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
root = here.parent

# name: (Brian2's program, Bouton's arguments, biological seconds a repeat when not said)
cases = {
    "brunel-poisson": (["brunel.py"], [here / "simulation" / "brunel.toml"], 1.0),
    "brunel-constant": (["brunel.py", "--drive", "constant"],
                        [here / "simulation" / "brunel.toml", "--variant", "constant"], 1.0),
    "brunel-stdp": (["brunel.py", "--stdp"], [here / "simulation" / "brunel.toml", "--variant", "stdp"], 1.0),
    "cuba": (["cuba.py"], [root / "recipes" / "cuba.toml"], 10.0),
    "cobahh": (["cobahh.py"], [root / "recipes" / "cobahh.toml"], 1.0),
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bouton", default=str(root / "bouton"))
parser.add_argument("--cases", nargs="+", choices=cases, default=list(cases))
parser.add_argument("--repeats", type=int, default=5)
parser.add_argument("--seconds", type=float, help="biological time measured in each repeat")
parser.add_argument("--settle", type=float, default=0.2, help="biological time run before")
parser.add_argument("--single", action="store_true", help="Brian2 in float")
parser.add_argument("--threads", type=int, default=1, help="of Bouton; Brian2 has one")
parser.add_argument("--json", action="store_true", help="one object instead of the table")
arguments = parser.parse_args()

# A processor family forced upon OpenBLAS concerns neither side, but what is timed is timed in a clean environment.
environment = dict(os.environ)
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    environment.pop(name, None)


def answer(command):
    done = subprocess.run([str(part) for part in command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(part) for part in command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def brian2(program, seconds, seed):
    return answer(["/usr/bin/python3", "-W", "ignore", here / "brian2" / program[0], *program[1:], "--seconds", seconds,
                   "--settle", arguments.settle, "--seed", seed, *(["--single"] if arguments.single else [])])


def bouton(options, seconds, seed):
    result = answer([arguments.bouton, "simulate", *options, "--set", f"simulation.duration={seconds} s",
                     "--set", f"simulation.settle={arguments.settle} s", "--seed", seed, "--threads", arguments.threads,
                     "--no-output", "--json"])
    populations = result["populations"].values()
    neurons = sum(p["size"] for p in populations)
    return {"cpu_seconds_per_biological_second": result["cpu_seconds"] / (seconds + arguments.settle),
            "rate_hz": sum(p["rate_hz"] * p["size"] for p in populations) / neurons}


report = {}
for case in arguments.cases:
    program, options, usual = cases[case]
    seconds = arguments.seconds or usual
    turns = []
    for repeat in range(arguments.repeats):
        turns.append((bouton(options, seconds, repeat + 1), brian2(program, seconds, repeat + 1)))
    times = [[side["cpu_seconds_per_biological_second"] for side in turn] for turn in turns]
    rates = [statistics.mean(turn[side]["rate_hz"] for turn in turns) for side in (0, 1)]
    ours, theirs = (statistics.median(column) for column in zip(*times))
    report[case] = {"bouton_cpu_seconds": ours, "brian2_cpu_seconds": theirs,
                    "ratio": statistics.median(rival / mine for mine, rival in times),
                    "bouton_rate_hz": rates[0], "brian2_rate_hz": rates[1],
                    "bouton_all": [t[0] for t in times], "brian2_all": [t[1] for t in times]}
    if not arguments.json:
        print(f"{case:16} Bouton {ours:7.3f} s at {rates[0]:5.2f} Hz   Brian2 {theirs:7.3f} s at {rates[1]:5.2f} Hz   "
              f"ratio {report[case]['ratio']:.1f}", flush=True)
if arguments.json:
    print(json.dumps(report))
