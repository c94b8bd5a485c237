// The build-time mechanism compiler: turns the catalogue's files into C++.
//   bouton_mechc kernel FILE.mech OUT_FLOAT32.cpp OUT_FLOAT64.cpp
//   bouton_mechc registry CATALOGUE_FOLDER OUT.cpp FILE.mech...
//   bouton_mechc synapse FILE.mech OUT.cpp
//   bouton_mechc synapse_registry CATALOGUE_FOLDER OUT.cpp FILE.mech...
//   bouton_mechc channel_registry CATALOGUE_FOLDER OUT.cpp FILE.mech...
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "bouton/base/files.hpp"
#include "bouton/mechanisms/channels.hpp"
#include "mechanisms/compiled.hpp"
#include "mechanisms/emit.hpp"
#include "mechanisms/identity.hpp"
#include "mechanisms/synapse_compiled.hpp"

namespace {

using namespace bouton;
namespace fs = std::filesystem;

Diagnostic complaint(const fs::path& file, std::string message) {
  Diagnostic d;
  d.code = "catalogue";
  d.message = std::move(message);
  d.file = file.string();
  return d;
}

Result<MechanismPtr> read(const fs::path& file) {
  auto mechanism = load_mechanism(file.string());
  if (mechanism && mechanism.value()->mechanism().name != file.stem())
    return complaint(
        file, "the mechanism is called '" + mechanism.value()->mechanism().name + "', the file must be named after it");
  return mechanism;
}

Status write_kernels(const fs::path& file, const fs::path& float32, const fs::path& float64) {
  const auto mechanism = read(file);
  if (!mechanism) return mechanism.diagnostics();
  const auto& compiled = dynamic_cast<const Compiled&>(*mechanism.value());
  for (const Scalar scalar : {Scalar::float32, Scalar::float64}) {
    const std::string text =
        emit_kernel(compiled.mechanism(), compiled.step(), scalar, kernel_identity(compiled.identity(), scalar),
                    built_in_entry(compiled.mechanism().name, scalar));
    if (Status written = write_file_atomically(scalar == Scalar::float32 ? float32 : float64, text); !written)
      return written;
  }
  return Done{};
}

std::string raw(const std::string& text) { return "R\"mech(" + text + ")mech\""; }

// The description's first sentence up to its citation: one line for lists.
std::string one_line(const std::string& description) {
  const std::size_t end = description.find(" (");
  return end == std::string::npos ? description : description.substr(0, end);
}

Status write_registry(const fs::path& folder, const fs::path& out, std::vector<fs::path> files) {
  std::sort(files.begin(), files.end());
  std::map<std::string, fs::path> seen;
  std::string declarations, entries;
  for (const fs::path& file : files) {
    const auto mechanism = read(file);
    if (!mechanism) return mechanism.diagnostics();
    const std::string& name = mechanism.value()->mechanism().name;
    if (const auto [at, fresh] = seen.try_emplace(name, file); !fresh)
      return complaint(file, "the mechanism '" + name + "' is also in " + at->second.string());
    const auto text = read_file(file);
    if (!text) return text.diagnostics();
    std::string kernels;
    for (const Scalar scalar : {Scalar::float32, Scalar::float64}) {
      const std::string entry = built_in_entry(name, scalar);
      declarations += "extern \"C\" const bouton_kernel* " + entry + "(void);\n";
      kernels += ", " + entry;
    }
    entries += "      {\"" + name + "\", \"" + file.parent_path().lexically_relative(folder).generic_string() + "\", " +
               raw(one_line(mechanism.value()->mechanism().description)) + ",\n       " + raw(text.value()) +
               ",\n       \"" + mechanism.value()->identity() + "\"" + kernels + "},\n";
  }
  return write_file_atomically(
      out, "// Emitted from the catalogue; do not edit.\n#include \"mechanisms/registry.hpp\"\n\n" + declarations +
               "\nnamespace bouton {\nconst std::vector<BuiltIn>& built_ins() {\n  static const std::vector<BuiltIn> "
               "entries = {\n" +
               entries + "  };\n  return entries;\n}\n}  // namespace bouton\n");
}

// --- synapses

Result<SynapsePtr> read_synapse(const fs::path& file) {
  auto synapse = load_synapse(file.string());
  if (synapse && synapse.value()->synapse().name != file.stem())
    return complaint(
        file, "the synapse is called '" + synapse.value()->synapse().name + "', the file must be named after it");
  return synapse;
}

Status write_synapse(const fs::path& file, const fs::path& out) {
  const auto synapse = read_synapse(file);
  if (!synapse) return synapse.diagnostics();
  const auto& compiled = dynamic_cast<const SynapseWithPlan&>(*synapse.value());
  return write_file_atomically(out, compiled.kernel_source(built_in_synapse_entry(compiled.synapse().name)));
}

Status write_synapse_registry(const fs::path& folder, const fs::path& out, std::vector<fs::path> files) {
  std::sort(files.begin(), files.end());
  std::string declarations, entries;
  for (const fs::path& file : files) {
    const auto synapse = read_synapse(file);
    if (!synapse) return synapse.diagnostics();
    const auto text = read_file(file);
    if (!text) return text.diagnostics();
    const std::string& name = synapse.value()->synapse().name;
    const std::string entry = built_in_synapse_entry(name);
    declarations += "extern \"C\" const bouton_synapse_kernel* " + entry + "(void);\n";
    entries += "      {\"" + name + "\", \"" + file.parent_path().lexically_relative(folder).generic_string() + "\", " +
               raw(one_line(synapse.value()->synapse().description)) + ",\n       " + raw(text.value()) +
               ",\n       \"" + synapse.value()->identity() + "\", " + entry + "},\n";
  }
  return write_file_atomically(
      out, "// Emitted from the catalogue; do not edit.\n#include \"mechanisms/registry.hpp\"\n\n" + declarations +
               "\nnamespace bouton {\nconst std::vector<BuiltInSynapse>& built_in_synapses() {\n"
               "  static const std::vector<BuiltInSynapse> entries = {\n" +
               entries + "  };\n  return entries;\n}\n}  // namespace bouton\n");
}

// --- channels

Status write_channel_registry(const fs::path& folder, const fs::path& out, std::vector<fs::path> files) {
  std::sort(files.begin(), files.end());
  std::string entries;
  for (const fs::path& file : files) {
    const auto channel = load_channel(file.string());
    if (!channel) return channel.diagnostics();
    const std::string& name = channel.value().name;
    if (name != file.stem())
      return complaint(file, "the channel is called '" + name + "', the file must be named after it");
    const auto text = read_file(file);
    if (!text) return text.diagnostics();
    entries += "      {\"" + name + "\", \"" + file.parent_path().lexically_relative(folder).generic_string() + "\", " +
               raw(one_line(channel.value().description)) + ",\n       " + raw(text.value()) + "},\n";
  }
  return write_file_atomically(out,
                               "// Emitted from the catalogue; do not edit.\n#include \"mechanisms/registry.hpp\"\n\n"
                               "namespace bouton {\nconst std::vector<BuiltInChannel>& built_in_channels() {\n"
                               "  static const std::vector<BuiltInChannel> entries = {\n" +
                                   entries + "  };\n  return entries;\n}\n}  // namespace bouton\n");
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> given(arguments + 1, arguments + count);
  Status done = complaint("bouton_mechc",
                          "expected: kernel FILE OUT32 OUT64, synapse FILE OUT, or registry, synapse_registry or "
                          "channel_registry FOLDER OUT FILES");
  if (given.size() == 4 && given[0] == "kernel")
    done = write_kernels(given[1], given[2], given[3]);
  else if (given.size() >= 3 && given[0] == "registry")
    done = write_registry(given[1], given[2], {given.begin() + 3, given.end()});
  else if (given.size() == 3 && given[0] == "synapse")
    done = write_synapse(given[1], given[2]);
  else if (given.size() >= 3 && given[0] == "synapse_registry")
    done = write_synapse_registry(given[1], given[2], {given.begin() + 3, given.end()});
  else if (given.size() >= 3 && given[0] == "channel_registry")
    done = write_channel_registry(given[1], given[2], {given.begin() + 3, given.end()});
  for (const auto& d : done.diagnostics()) std::fprintf(stderr, "%s\n", d.to_string().c_str());
  return done ? 0 : 1;
}
