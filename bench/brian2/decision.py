#!/usr/bin/env python3
"""The decision network of Wang (2002, doi:10.1016/S0896-6273(02)01092-9) with its NMDA gates as published: ds/dt = -s/(100 ms)
+ 0.5/ms x (1 - s), x decaying with 2 ms. The same network as `recipes/decision.toml`; prints the rates of the groups and the
mean open fraction s in each 250 ms.

All of a group's cells send the same to a target, so what they have open is summed once for each group.
"""

import json

import numpy as np
import standalone
from brian2 import (Hz, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, defaultclock, device, mV, ms, nF, nS, run, second,
                    seed, set_device)

parser = standalone.options(__doc__, seconds=3.5)
parser.add_argument("--coherence", type=float, default=0.128)
parser.add_argument("--dt", type=float, default=0.02, help="ms")
arguments = parser.parse_args()
set_device("cpp_standalone", build_on_run=False)
defaultclock.dt = arguments.dt * ms
seed(arguments.seed)

strong = 1.7
weak = 1 - 0.15 * (strong - 1) / (1 - 0.15)
membrane = """
dv/dt = (g_L*(E_L - v) - (g_ext + g_AMPA)*v - G_NMDA*open_*v/(1 + exp(-62*v/volt)/3.57) + g_GABA*(E_L - v))/C : volt (unless refractory)
dg_ext/dt = -g_ext/(2*ms) : siemens
dg_AMPA/dt = -g_AMPA/(2*ms) : siemens
dg_GABA/dt = -g_GABA/(5*ms) : siemens
open_ : 1
group : integer (constant)
"""
gates = """
ds/dt = -s/(100*ms) + 0.5/ms*x*(1 - s) : 1
dx/dt = -x/(2*ms) : 1
"""
E_L = -70 * mV
cells = dict(threshold="v > -50*mV", reset="v = -55*mV", method="exponential_euler")
E = NeuronGroup(1600, membrane + gates, refractory=2 * ms, **cells,
                namespace=dict(C=0.5 * nF, g_L=25 * nS, G_NMDA=0.165 * nS, g_x=2.1 * nS))
I = NeuronGroup(400, membrane, refractory=1 * ms, **cells, namespace=dict(C=0.2 * nF, g_L=20 * nS, G_NMDA=0.13 * nS, g_x=1.62 * nS))
E.group = "int(i >= 240) + int(i >= 480)"
for cell in (E, I):
    cell.v = "-70*mV + 20*mV*rand()"

# weight[target's group][source's group]
weight = np.array([[strong, weak, weak], [weak, strong, weak], [1, 1, 1]])
member = np.repeat([0, 1, 2], [240, 240, 1120])
AMPA = Synapses(E, E, "w : 1", on_pre="g_AMPA_post += w*0.05*nS", delay=0.5 * ms)
AMPA.connect()
AMPA.w = weight[np.tile(member, 1600), np.repeat(member, 1600)]
AMPA_I = Synapses(E, I, on_pre="g_AMPA_post += 0.04*nS", delay=0.5 * ms)
GABA = Synapses(I, E, on_pre="g_GABA_post += 1.3*nS", delay=0.5 * ms)
GABA_I = Synapses(I, I, on_pre="g_GABA_post += 1*nS", delay=0.5 * ms)
for synapses in (AMPA_I, GABA, GABA_I):
    synapses.connect()
release = Synapses(E, E, on_pre="x_post += 1", delay=0.5 * ms)
release.connect(j="i")
sums = NeuronGroup(3, "S : 1")
gather = Synapses(E, sums, "S_post = s_pre : 1 (summed)")
gather.connect(i=np.arange(1600), j=member)
spread = Synapses(sums, E, "w : 1 (constant)\nopen__post = w*S_pre : 1 (summed)")
spread.connect()
spread.w = weight[np.tile(member, 3), np.repeat([0, 1, 2], 1600)]
spread_I = Synapses(sums, I, "open__post = S_pre : 1 (summed)")
spread_I.connect()

# 2400 Hz of background; the stimulus from 1 s to 2 s.
c = arguments.coherence
E.run_regularly("g_ext += g_x*poisson((2400*Hz + int(t >= 1*second)*int(t < 2*second)*40*Hz*(int(group == 0)*(1 + c) + "
                "int(group == 1)*(1 - c)))*dt)", when="synapses")
I.run_regularly("g_ext += g_x*poisson(2400*Hz*dt)", when="synapses")
E.namespace["c"] = c
spikes, spikes_I, traces = SpikeMonitor(E), SpikeMonitor(I), StateMonitor(sums, "S", record=True, dt=5 * ms)
run(arguments.seconds * second)
device.build(directory=None, compile=True, run=True, with_output=False)

edges = np.arange(0, arguments.seconds + 0.01, 0.25)
rates = {name: np.histogram(spikes.t / second, edges, weights=(member[spikes.i] == k).astype(float))[0] / 0.25 / size
         for k, (name, size) in enumerate({"A": 240, "B": 240, "rest": 1120}.items())}
rates["I"] = np.histogram(spikes_I.t / second, edges)[0] / 0.25 / 400
gate = traces.S.reshape(3, len(edges) - 1, -1).mean(2) / np.array([[240], [240], [1120]])
print(json.dumps({"rates_hz": {name: [round(float(r), 1) for r in row] for name, row in rates.items()},
                  "open": {name: [round(float(s), 3) for s in row] for name, row in zip(("A", "B", "rest"), gate)}}))
device.delete(force=True)
