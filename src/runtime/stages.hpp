#pragma once
// The layers of a loaded network, each constant; what moves lies in memory that the network hands them.

#include <memory>
#include <string>

#include "bouton/mechanisms/kernel_abi.h"
#include "bouton/runtime/runtime_file.hpp"
#include "runtime/products.hpp"

namespace bouton::runtime {

class Stage {
 public:
  virtual ~Stage() = default;
  Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  [[nodiscard]] virtual int64_t outputs() const = 0;
  [[nodiscard]] virtual std::size_t weight_bytes() const { return 0; }
  // Fills `memory`, zeroed, 64-byte aligned, of weight_bytes().
  virtual void place(std::byte* /*memory*/) {}
  [[nodiscard]] virtual std::size_t state_bytes() const { return 0; }
  [[nodiscard]] virtual int64_t most_active() const { return 0; }  // entries its lists of active inputs need
  virtual void reset(std::byte* /*state*/) const {}
  // in: what the stage before gave; out: [outputs()]; both with slack. step: since reset.
  virtual void run(const float* in, float* out, std::byte* state, Active scratch, int64_t step) const = 0;
  // Whether its output moves while its input does not.
  [[nodiscard]] virtual bool moves() const { return false; }
  [[nodiscard]] virtual const char* name() const { return nullptr; }  // of neurons
};

// `layer` must outlive place(). Codes: unknown-kernel.
[[nodiscard]] Result<std::unique_ptr<Stage>> make_stage(const Layer& layer);

// For mechanisms of a user's own. False: of another interface.
bool add_kernel(const bouton_kernel* kernel);

// Floats to hold `size` numbers between stages: neurons read and write whole rows of their kernel.
[[nodiscard]] int64_t signal_floats(int64_t size);

}  // namespace bouton::runtime
