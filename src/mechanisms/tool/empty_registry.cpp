// The build's own mechanism compiler has no catalogue yet: it is what makes one.
#include "mechanisms/registry.hpp"

namespace bouton {
const std::vector<BuiltIn>& built_ins() {
  static const std::vector<BuiltIn> none;
  return none;
}
const std::vector<BuiltInSynapse>& built_in_synapses() {
  static const std::vector<BuiltInSynapse> none;
  return none;
}
const std::vector<BuiltInChannel>& built_in_channels() {
  static const std::vector<BuiltInChannel> none;
  return none;
}
}  // namespace bouton
