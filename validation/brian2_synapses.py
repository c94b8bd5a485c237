"""Runs synapses of the catalogue in Brian2 and in Bouton between spikes at random times and compares what each arrival
delivers and the weight at the end.

Brian2 gets the lines of the .mech file itself: the equations as event-driven ones of a Synapses object, the blocks as
on_pre and on_post, with only the spelling of quantities changed (20 ms -> 20*ms) and 'deliver' turned into an
assignment. Brian2 computes in double precision and Bouton's synapses in single: they must agree to TOLERANCE, some tens of
roundings. Pre and post spikes never fall into one step, where the two differ in their order on purpose.

Exit codes: 0 same, 1 different, 77 Brian2 is not installed (the test is skipped).
"""

import argparse
import pathlib
import re
import subprocess
import sys

from brian2_compare import to_brian

TOLERANCE = 2e-6
STEPS, DT = 20000, 1e-4

# Rules with on pre and on post alone, and parameters that make them move.
CASES = {
    "static": {},
    "tsodyks_markram": {"tau_fac": 0.2},
    "stdp_additive": {},
    "stdp_multiplicative": {},
    "stdp_power_law": {},
    "stdp_nearest": {},
    "stdp_triplet": {},
    "oja": {"eta": 0.01},
    "bcm": {"eta": 0.01},
    "vogels_sprekeler": {},
}


class Synapse:
    """The lines of a .mech file of kind synapse, sorted."""

    def __init__(self, path):
        self.parameters, self.equations, self.initial = {}, [], {}
        self.on_pre, self.on_post = [], []
        block = None
        for line in path.read_text().splitlines():
            line = line.split("#")[0].rstrip()
            indent = len(line) - len(line.lstrip())
            line = line.strip()
            if indent >= 4 and block is not None:
                block.append(re.sub(r"^deliver (.*)", r"delivered = \1", to_brian(line)))
            elif m := re.fullmatch(r"parameter (\w+)\s*=\s*(.*?)(\s+in\s+[\[(].*)?", line):
                self.parameters[m[1]] = to_brian(m[2].strip())
            elif m := re.fullmatch(r"initially (\w+)\s*=\s*(.*)", line):
                self.initial[m[1]] = to_brian(m[2])
            elif m := re.fullmatch(r"weight (\w+)\s*:.*", line):
                self.weight = m[1]
                self.equations.append(f"{m[1]} : 1")
            elif line in ("on pre:", "on post:"):
                block = self.on_pre if line == "on pre:" else self.on_post
            elif re.match(r"d\w+/dt\s*=", line):
                self.equations.append(to_brian(line) + " (event-driven)")
            elif line and indent == 2 and line[0] != '"':
                self.equations.append(to_brian(line))


def in_brian(b2, np, rule, changed, pre, post, weight):
    names = {name: getattr(b2, name) for name in ("ms", "second", "Hz", "hertz", "volt", "mV")} | {"s": b2.second}
    namespace = {name: eval(text, names) for name, text in rule.parameters.items()}
    for name, value in changed.items():
        namespace[name] = value * (b2.second if name.startswith("tau") else 1)
    for name in ("minimum", "maximum"):
        namespace[name] = b2.Function(getattr(np, name), arg_units=[1, 1], return_unit=1)
    b2.start_scope()
    b2.defaultclock.dt = DT * b2.second
    sources = b2.SpikeGeneratorGroup(1, np.zeros(len(pre), int), np.array(pre) * DT * b2.second)
    targets = b2.SpikeGeneratorGroup(1, np.zeros(len(post), int), np.array(post) * DT * b2.second)
    model = "\n".join(rule.equations + ["delivered : 1"])
    synapses = b2.Synapses(sources, targets, model, on_pre="\n".join(rule.on_pre), namespace=namespace,
                           on_post="\n".join(rule.on_post) or None)
    synapses.connect()
    setattr(synapses, rule.weight, weight)
    for name, text in rule.initial.items():
        setattr(synapses, name, text)
    sent = b2.StateMonitor(synapses, "delivered", record=True, when="end")
    b2.run(STEPS * DT * b2.second)
    return [float(sent.delivered[0][step]) for step in pre] + [float(getattr(synapses, rule.weight)[0])]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--catalogue", required=True, help="the folder of .mech files")
    arguments.add_argument("--program", required=True, help="trace_synapse")
    arguments.add_argument("--planted", action="store_true", help="plant a difference and expect every case to see it")
    options = arguments.parse_args()
    import warnings
    warnings.filterwarnings("ignore")
    try:
        import brian2 as b2
        import numpy as np
    except ImportError as error:
        print(f"skipped: Brian2 is not installed ({error}); on Debian: apt install python3-brian")
        return 77
    b2.prefs.codegen.target = "numpy"
    random = np.random.default_rng(5)
    steps = random.permutation(np.arange(10, STEPS - 10))
    pre, post = sorted(int(n) for n in steps[:60]), sorted(int(n) for n in steps[60:120])
    failures = 0
    for name, changed in CASES.items():
        rule = Synapse(next(pathlib.Path(options.catalogue).rglob(f"{name}.mech")))
        shift = 3 if options.planted else 0
        command = [options.program, name, str(DT), str(STEPS), "0.4", ",".join(map(str, pre)),
                   ",".join(str(n + shift) for n in post), *(f"{key}={value}" for key, value in changed.items())]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        mine = [float(word) for word in output.split()]
        theirs = in_brian(b2, np, rule, changed, pre, post, 0.4)
        worst = max(abs(a - b) for a, b in zip(mine, theirs, strict=True)) / max(map(abs, theirs))
        different = worst > TOLERANCE
        # Where on post does nothing there is nothing to see of a shifted post spike.
        failures += different != (options.planted and bool(rule.on_post))
        print(f"{'DIFFERENT' if different else 'same     '} {name:20s} w {mine[-1]:.6f}, off by {worst:.1e}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
