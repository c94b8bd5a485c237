#pragma once
// The C++ face of bouton/runtime/runtime.h: the same functions, with ownership and errors as C++ has them.

#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "bouton/runtime/runtime.h"

namespace bouton::runtime {

// What a failed load throws: what() is the message, code the stable name.
class LoadError : public std::runtime_error {
 public:
  explicit LoadError(const bouton_error& error) : std::runtime_error(error.message), code(error.code) {}
  std::string code;
};

// A network with its state. Movable, not copyable; one thread at a time (see share).
class Network {
 public:
  // most_bytes 0: 1 GiB. Throws LoadError.
  explicit Network(const std::string& path, std::size_t most_bytes = 0) {
    bouton_error error;
    own(bouton_network_load(path.c_str(), most_bytes, &error), error);
  }
  // From the bytes of a file, which need not be kept.
  [[nodiscard]] static Network from_memory(std::span<const char> bytes, std::size_t most_bytes = 0) {
    bouton_error error;
    return Network(bouton_network_load_memory(bytes.data(), bytes.size(), most_bytes, &error), error);
  }

  // The same weights with a state of its own, for another thread.
  [[nodiscard]] Network share() const {
    bouton_error error;
    return Network(bouton_network_share(network_.get(), &error), error);
  }

  [[nodiscard]] bouton_network_info info() const {
    bouton_network_info info;
    bouton_network_describe(network_.get(), &info);
    return info;
  }
  [[nodiscard]] const char* note(const char* name) const { return bouton_network_note(network_.get(), name); }

  // Sizes are the caller's to keep: input [inputs] or empty for the same again; output [outputs] or empty.
  void reset() { bouton_network_reset(network_.get()); }
  void step(std::span<const float> input, std::span<float> output = {}) {
    bouton_network_step(network_.get(), input.empty() ? nullptr : input.data(),
                        output.empty() ? nullptr : output.data());
  }
  void readout(std::span<float> scores) const { bouton_network_readout(network_.get(), scores.data()); }
  long classify(std::span<const float> input, std::span<float> scores = {}) {
    return bouton_network_classify(network_.get(), input.data(), scores.empty() ? nullptr : scores.data());
  }

  // What neuron layer `layer` gave in the last step; empty where there is no such layer.
  [[nodiscard]] std::size_t layers() const { return bouton_network_layers(network_.get()); }
  [[nodiscard]] std::span<const float> layer(std::size_t layer) const {
    const float* values = nullptr;
    const std::size_t size = bouton_network_layer(network_.get(), layer, nullptr, &values);
    return {values, size};
  }

 private:
  Network(bouton_network* network, const bouton_error& error) { own(network, error); }
  void own(bouton_network* network, const bouton_error& error) {
    if (!network) throw LoadError(error);
    network_.reset(network);
  }
  struct Free {
    void operator()(bouton_network* network) const { bouton_network_free(network); }
  };
  std::unique_ptr<bouton_network, Free> network_;
};

}  // namespace bouton::runtime
