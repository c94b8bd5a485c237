#!/usr/bin/env python3
"""Benchmark 3 of Brette et al. (2007, doi:10.1007/s10827-007-0038-6): 4000 Hodgkin-Huxley cells (Traub & Miles, without
the slow currents) with conductance synapses, each pair connected with probability 0.02. Exponential Euler at 0.1 ms.
Sustains itself. The same network as `recipes/cobahh.toml`.
"""

import standalone
from brian2 import NeuronGroup, SpikeMonitor, Synapses, cm, ms, msiemens, mV, nS, siemens, ufarad, umetre

arguments = standalone.options(__doc__).parse_args()
standalone.prepare(arguments)

area = 20000 * umetre**2
C = 1 * ufarad * cm**-2 * area
g_L, g_Na, g_K = 5e-5 * siemens * cm**-2 * area, 100 * msiemens * cm**-2 * area, 30 * msiemens * cm**-2 * area
E_L, E_K, E_Na, V_T = -60 * mV, -90 * mV, 50 * mV, -63 * mV
tau_e, tau_i, E_e, E_i = 5 * ms, 10 * ms, 0 * mV, -80 * mV
neurons = NeuronGroup(4000, """
    dv/dt = (g_L*(E_L - v) + g_e*(E_e - v) + g_i*(E_i - v) - g_Na*m**3*h*(v - E_Na) - g_K*n**4*(v - E_K))/C : volt
    dm/dt = alpha_m*(1 - m) - beta_m*m : 1
    dn/dt = alpha_n*(1 - n) - beta_n*n : 1
    dh/dt = alpha_h*(1 - h) - beta_h*h : 1
    dg_e/dt = -g_e/tau_e : siemens
    dg_i/dt = -g_i/tau_i : siemens
    alpha_m = 0.32*4/exprel((13*mV - v + V_T)/(4*mV))/ms : Hz
    beta_m = 0.28*5/exprel((v - V_T - 40*mV)/(5*mV))/ms : Hz
    alpha_h = 0.128*exp((17*mV - v + V_T)/(18*mV))/ms : Hz
    beta_h = 4/(1 + exp((40*mV - v + V_T)/(5*mV)))/ms : Hz
    alpha_n = 0.032*5/exprel((15*mV - v + V_T)/(5*mV))/ms : Hz
    beta_n = 0.5*exp((10*mV - v + V_T)/(40*mV))/ms : Hz""",
                      threshold="v > -20*mV", refractory=3 * ms, method="exponential_euler")
neurons.v = "E_L + (randn()*5 - 5)*mV"
neurons.g_e = "(randn()*1.5 + 4)*10*nS"
neurons.g_i = "(randn()*12 + 20)*10*nS"
E, I = neurons[:3200], neurons[3200:]
excitation = Synapses(E, neurons, on_pre="g_e_post += 6*nS", delay=0.1 * ms)
excitation.connect(p=0.02)
inhibition = Synapses(I, neurons, on_pre="g_i_post += 67*nS", delay=0.1 * ms)
inhibition.connect(p=0.02)
monitors = {"E": (SpikeMonitor(E, record=False), 3200), "I": (SpikeMonitor(I, record=False), 800)}
standalone.measure(arguments, globals(), [neurons, excitation, inhibition], monitors)
