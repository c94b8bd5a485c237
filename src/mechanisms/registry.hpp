#pragma once
// The kernels that were emitted and compiled with the library, one entry for each file of the catalogue.

#include <vector>

#include "bouton/mechanisms/kernel_abi.h"
#include "bouton/mechanisms/synapse_abi.h"

namespace bouton {

struct BuiltIn {
  const char* name;
  const char* group;  // the folder below the catalogue: "neurons/spiking"
  const char* description;
  const char* text;
  const char* identity;  // of the mechanism
  bouton_kernel_entry float32, float64;
};

// In order of group and name. Defined in a generated file.
[[nodiscard]] const std::vector<BuiltIn>& built_ins();

// The same for synapses.
struct BuiltInSynapse {
  const char *name, *group, *description, *text, *identity;
  bouton_synapse_kernel_entry kernel;
};
[[nodiscard]] const std::vector<BuiltInSynapse>& built_in_synapses();

// Channels have no kernels of their own: a neuron is compiled with those it has.
struct BuiltInChannel {
  const char *name, *group, *description, *text;
};
[[nodiscard]] const std::vector<BuiltInChannel>& built_in_channels();

}  // namespace bouton
