// bouton/runtime/runtime.h: no exception leaves, every failure is told.

#include <cstdio>
#include <new>

#include "runtime/network.hpp"

using bouton::Diagnostic;
using bouton::Result;
using bouton::runtime::Plan;
using bouton::runtime::RuntimeFile;

namespace {

constexpr std::size_t usual_most_bytes = std::size_t{1} << 30;

void tell(bouton_error* error, const std::string& code, const std::string& message) {
  if (!error) return;
  std::snprintf(error->code, sizeof error->code, "%s", code.c_str());
  std::snprintf(error->message, sizeof error->message, "%s", message.c_str());
}

void tell(bouton_error* error, const std::vector<Diagnostic>& diagnostics) {
  const Diagnostic& first = diagnostics.front();
  std::string message = first.message;
  if (!first.file.empty()) message = first.file + ": " + message;
  if (!first.hint.empty()) message += " (" + first.hint + ")";
  tell(error, first.code, message);
}

// Runs `load`, which returns a Result of a pointer; null, and a told error, on any failure.
template <typename Load>
auto guarded(bouton_error* error, const Load& load) -> decltype(load().value().release()) {
  if (error) *error = {};
  try {
    auto loaded = load();
    if (loaded.ok()) return std::move(loaded).value().release();
    tell(error, loaded.diagnostics());
  } catch (const std::bad_alloc&) {
    tell(error, "memory", "there is not enough memory");
  } catch (const std::exception& fault) {
    tell(error, "internal", fault.what());
  }
  return nullptr;
}

Result<std::unique_ptr<bouton_network>> network_of(const Result<RuntimeFile>& file, std::size_t most_bytes) {
  if (!file) return file.diagnostics();
  auto plan = Plan::make(file.value(), most_bytes == 0 ? usual_most_bytes : most_bytes);
  if (!plan) return plan.diagnostics();
  return bouton_network::make(std::move(plan).value());
}

}  // namespace

extern "C" {

bouton_network* bouton_network_load(const char* path, size_t most_bytes, bouton_error* error) {
  return guarded(error, [&] { return network_of(bouton::runtime::load_runtime_file(path), most_bytes); });
}

bouton_network* bouton_network_load_memory(const void* bytes, size_t size, size_t most_bytes, bouton_error* error) {
  return guarded(error, [&] {
    const std::string_view content(static_cast<const char*>(bytes), size);
    return network_of(bouton::runtime::parse_runtime_file("<memory>", content), most_bytes);
  });
}

int bouton_network_inspect(const char* path, bouton_network_info* info, bouton_error* error) {
  using Info = std::unique_ptr<bouton_network_info>;
  const Info measured(guarded(error, [&]() -> Result<Info> {
    const auto file = bouton::runtime::load_runtime_file(path);
    if (!file) return file.diagnostics();
    const auto plan = Plan::measure(file.value());
    if (!plan) return plan.diagnostics();
    return std::make_unique<bouton_network_info>(plan.value());
  }));
  if (measured) *info = *measured;
  return measured ? 1 : 0;
}

bouton_network* bouton_network_share(const bouton_network* network, bouton_error* error) {
  return guarded(error, [&] { return bouton_network::make(network->plan()); });
}

void bouton_network_free(bouton_network* network) { delete network; }

void bouton_network_describe(const bouton_network* network, bouton_network_info* info) {
  *info = network->plan()->info();
}

const char* bouton_network_note(const bouton_network* network, const char* name) {
  const auto& notes = network->plan()->notes();
  const auto found = notes.find(name);
  return found == notes.end() ? nullptr : found->second.c_str();
}

void bouton_network_reset(bouton_network* network) { network->reset(); }

void bouton_network_step(bouton_network* network, const float* input, float* output) { network->step(input, output); }

void bouton_network_readout(const bouton_network* network, float* scores) { network->read_out(scores); }

long bouton_network_classify(bouton_network* network, const float* input, float* scores) {
  return network->classify(input, scores);
}

size_t bouton_network_layers(const bouton_network* network) { return network->plan()->neuron_stages().size(); }

size_t bouton_network_layer(const bouton_network* network, size_t layer, const char** name, const float** values) {
  const Plan& plan = *network->plan();
  if (layer >= plan.neuron_stages().size()) return 0;
  const std::size_t stage = plan.neuron_stages()[layer];
  if (name) *name = plan.stages()[stage]->name();
  if (values) *values = network->signal(stage);
  return static_cast<size_t>(plan.stages()[stage]->outputs());
}

int bouton_add_kernel(const bouton_kernel* kernel) { return bouton::runtime::add_kernel(kernel) ? 1 : 0; }

}  // extern "C"
