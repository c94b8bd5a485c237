#include "bouton/mechanisms/synapse.hpp"

#include <cstdio>
#include <filesystem>
#include <utility>

#include "bouton/base/files.hpp"
#include "bouton/base/hash.hpp"
#include "mechanisms/compile_cache.hpp"
#include "mechanisms/identity.hpp"
#include "mechanisms/registry.hpp"
#include "mechanisms/synapse_compiled.hpp"
#include "mechanisms/synapse_emit.hpp"

namespace bouton {
namespace {

std::string block(const char* name, const SynapseBlock& b) {
  if (!b.present) return "";
  std::string text = std::string(name) + "\n";
  for (const SynapseStatement& s : b.statements)
    text += "  " + (s.deliver ? "deliver " : s.target + " = ") + expression_text(s.value) + "\n";
  return text;
}

std::string foreign(const char* word, const std::vector<ForeignVariable>& list) {
  std::string text;
  for (const ForeignVariable& v : list) text += std::string(word) + " " + v.name + unit_text(v.dimension);
  return text;
}

// What the synapse means, as text: without comments and spacing.
std::string meaning(const Synapse& s) {
  std::string text = "synapse 1 " + s.name + "\n";
  for (const Parameter& p : s.parameters) {
    text += "parameter " + p.name + " = " + exact_text(p.value) + (p.lower_open ? " (" : " [") + exact_text(p.lower) +
            ", " + exact_text(p.upper) + (p.upper_open ? ")" : "]") + unit_text(p.dimension);
  }
  for (const Subexpression& part : s.subexpressions)
    text += part.name + " = " + expression_text(part.value) + unit_text(part.dimension);
  for (const StateVariable& state : s.states)
    text += "state " + state.name + "' = " + expression_text(state.derivative) + " from " +
            expression_text(state.initial) + unit_text(state.dimension);
  text += foreign("post", s.post) + foreign("pre", s.pre) + foreign("modulator", s.modulators);
  text += block("on pre", s.on_pre) + block("on post", s.on_post) + block("every", s.every);
  text += "when " + expression_text(s.post_condition) + " interval " + expression_text(s.interval) + " current " +
          expression_text(s.current);
  return text + (s.delivered ? unit_text(*s.delivered) : "\n");
}

std::string kernel_identity(const std::string& identity) {
  return sha256_hex(identity + " synapse " + std::to_string(BOUTON_SYNAPSE_ABI_VERSION));
}

}  // namespace

SynapseWithPlan::SynapseWithPlan(Synapse synapse, SynapsePlan plan)
    : synapse_(std::move(synapse)), plan_(std::move(plan)), identity_(sha256_hex(meaning(synapse_))) {}

std::string SynapseWithPlan::kernel_source(const std::string& entry) const {
  return emit_synapse(synapse_, plan_, kernel_identity(identity_), entry);
}

std::string SynapseWithPlan::kernel_source() const { return kernel_source("bouton_user_kernel"); }

Result<const bouton_synapse_kernel*> SynapseWithPlan::kernel() const {
  for (const BuiltInSynapse& entry : built_in_synapses())
    if (identity_ == entry.identity) return entry.kernel();
  return load_or_compile_synapse(kernel_source(), synapse_.name, kernel_identity(identity_));
}

std::string built_in_synapse_entry(const std::string& name) { return "bouton_synapse_" + name; }

Result<SynapsePtr> compile_synapse(Synapse synapse) {
  auto plan = plan_synapse(synapse);
  if (!plan) return plan.diagnostics();
  return SynapsePtr(std::make_shared<SynapseWithPlan>(std::move(synapse), std::move(plan).value()));
}

Result<SynapsePtr> load_synapse_text(const SourceText& source) {
  auto parsed = parse_synapse(source);
  if (!parsed) return parsed.diagnostics();
  return compile_synapse(std::move(parsed).value());
}

Result<SynapsePtr> load_synapse(const std::string& name_or_path) {
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".mech")) {
    auto text = read_file(name_or_path, std::size_t{1} << 24);
    if (!text) return text.diagnostics();
    return load_synapse_text({name_or_path, std::move(text).value()});
  }
  std::vector<std::string> names;
  for (const BuiltInSynapse& entry : built_in_synapses()) {
    if (name_or_path == entry.name) return load_synapse_text({std::string(entry.name) + ".mech", entry.text});
    names.push_back(entry.name);
  }
  Diagnostic unknown;
  unknown.code = "unknown-mechanism";
  unknown.message = "there is no synapse '" + name_or_path + "' in the catalogue";
  unknown.hint = hint_for(name_or_path, names);
  if (std::filesystem::exists(name_or_path + ".mech"))
    unknown.hint = "did you mean the file '" + name_or_path + ".mech'?";
  return unknown;
}

const std::vector<CatalogueEntry>& synapse_catalogue() {
  static const std::vector<CatalogueEntry> entries = [] {
    std::vector<CatalogueEntry> list;
    for (const BuiltInSynapse& entry : built_in_synapses())
      list.push_back({entry.name, entry.group, entry.description, entry.text});
    return list;
  }();
  return entries;
}

}  // namespace bouton
