#pragma once
// A loaded network: what is constant, and one state of it.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/huge_buffer.hpp"
#include "bouton/runtime/runtime.h"
#include "bouton/runtime/runtime_file.hpp"
#include "runtime/stages.hpp"

namespace bouton::runtime {

// Constant; shared by networks on any threads.
class Plan {
 public:
  // Takes the memory of the weights. Codes: unknown-kernel, runtime-too-large, memory.
  [[nodiscard]] static Result<std::shared_ptr<const Plan>> make(const RuntimeFile& file, std::size_t most_bytes);
  // What make would take.
  [[nodiscard]] static Result<bouton_network_info> measure(const RuntimeFile& file);

  [[nodiscard]] const std::vector<std::unique_ptr<Stage>>& stages() const { return stages_; }
  [[nodiscard]] const bouton_network_info& info() const { return info_; }
  [[nodiscard]] const std::vector<int64_t>& input() const { return input_; }
  [[nodiscard]] Readout readout() const { return readout_; }
  [[nodiscard]] const std::map<std::string, std::string>& notes() const { return notes_; }
  [[nodiscard]] std::size_t first_moving() const {
    return first_moving_;
  }  // the stages before it follow the input alone
  [[nodiscard]] const std::vector<std::size_t>& neuron_stages() const { return neuron_stages_; }
  [[nodiscard]] int64_t most_active() const { return most_active_; }

 private:
  Plan() = default;
  [[nodiscard]] Status build(const RuntimeFile& file);
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<std::size_t> neuron_stages_;
  std::size_t first_moving_ = 0;
  int64_t most_active_ = 0;
  bouton_network_info info_{};
  std::vector<int64_t> input_;
  Readout readout_ = Readout::mean_output;
  std::map<std::string, std::string> notes_;
  HugeBuffer weights_;
};

}  // namespace bouton::runtime

struct bouton_network {
 public:
  // At rest. Codes: memory.
  [[nodiscard]] static bouton::Result<std::unique_ptr<bouton_network>> make(
      std::shared_ptr<const bouton::runtime::Plan> plan);

  void reset();
  void step(const float* input, float* output);
  void read_out(float* scores) const;
  long classify(const float* input, float* scores);
  [[nodiscard]] const std::shared_ptr<const bouton::runtime::Plan>& plan() const { return plan_; }
  [[nodiscard]] const float* signal(std::size_t stage) const { return signals_[stage + 1]; }

 private:
  explicit bouton_network(std::shared_ptr<const bouton::runtime::Plan> plan) : plan_(std::move(plan)) {}
  void take_input(const float* input);
  void collect();

  std::shared_ptr<const bouton::runtime::Plan> plan_;
  bouton::HugeBuffer memory_;
  std::vector<float*> signals_;  // the input, then what each stage gives
  std::vector<std::byte*> states_;
  bouton::runtime::Active active_;
  float* collected_ = nullptr;  // sum or maximum of the outputs since reset
  float* scores_ = nullptr;     // of classify
  int64_t done_ = 0;            // steps since reset
  bool driven_ = false;         // the stages before the first moving one have seen the input
};
