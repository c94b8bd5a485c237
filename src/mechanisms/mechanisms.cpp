#include "bouton/mechanisms/mechanisms.hpp"

#include <filesystem>
#include <utility>

#include "bouton/base/files.hpp"
#include "mechanisms/compile_cache.hpp"
#include "mechanisms/compiled.hpp"
#include "mechanisms/emit.hpp"
#include "mechanisms/identity.hpp"
#include "mechanisms/registry.hpp"

namespace bouton {

Compiled::Compiled(Mechanism mechanism, Step step)
    : mechanism_(std::move(mechanism)), step_(std::move(step)), identity_(mechanism_identity(mechanism_)) {}

std::string Compiled::kernel_source(Scalar scalar, Purpose purpose) const {
  return emit_kernel(mechanism_, step_, scalar, kernel_identity(identity_, scalar), "bouton_user_kernel",
                     {.scan = purpose == Purpose::training, .advance = purpose == Purpose::simulation});
}

Result<const bouton_kernel*> Compiled::kernel(Scalar scalar, Purpose purpose) const {
  for (const BuiltIn& entry : built_ins())
    if (identity_ == entry.identity) return scalar == Scalar::float32 ? entry.float32() : entry.float64();
  return load_or_compile(kernel_source(scalar, purpose), mechanism_.name, kernel_identity(identity_, scalar));
}

Result<MechanismPtr> compile_mechanism(Mechanism mechanism) {
  if (mechanism.kind != Mechanism::Kind::neuron) {
    Diagnostic d;
    d.code = "wrong-kind";
    d.message = "'" + mechanism.name + "' is no neuron, and only neurons are compiled by themselves";
    d.hint = "a channel is put on a neuron";
    return d;
  }
  auto step = build_step(mechanism);
  if (!step) return step.diagnostics();
  return MechanismPtr(std::make_shared<Compiled>(std::move(mechanism), std::move(step).value()));
}

Result<MechanismPtr> load_mechanism_text(const SourceText& source) {
  auto parsed = parse_mechanism(source);
  if (!parsed) return parsed.diagnostics();
  return compile_mechanism(std::move(parsed).value());
}

Result<MechanismPtr> load_mechanism(const std::string& name_or_path) {
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".mech")) {
    auto text = read_file(name_or_path, std::size_t{1} << 24);
    if (!text) return text.diagnostics();
    return load_mechanism_text({name_or_path, std::move(text).value()});
  }
  std::vector<std::string> names;
  for (const BuiltIn& entry : built_ins()) {
    if (name_or_path == entry.name) return load_mechanism_text({std::string(entry.name) + ".mech", entry.text});
    names.push_back(entry.name);
  }
  Diagnostic unknown;
  unknown.code = "unknown-mechanism";
  unknown.message = "there is no mechanism '" + name_or_path + "' in the catalogue";
  unknown.hint = hint_for(name_or_path, names);
  if (std::filesystem::exists(name_or_path + ".mech"))
    unknown.hint = "did you mean the file '" + name_or_path + ".mech'?";
  for (const BuiltInChannel& entry : built_in_channels())
    if (name_or_path == entry.name) unknown.hint = "'" + name_or_path + "' is a channel, to be put on a neuron";
  return unknown;
}

const std::vector<CatalogueEntry>& catalogue() {
  static const std::vector<CatalogueEntry> entries = [] {
    std::vector<CatalogueEntry> list;
    for (const BuiltIn& entry : built_ins()) list.push_back({entry.name, entry.group, entry.description, entry.text});
    return list;
  }();
  return entries;
}

}  // namespace bouton
