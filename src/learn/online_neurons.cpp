#include "learn/online_neurons.hpp"

#include <algorithm>
#include <cmath>

#include "bouton/base/random.hpp"
#include "learn/scan.hpp"

namespace bouton::learn {

using torch::Tensor;

OnlineNeurons::OnlineNeurons(const Neurons& neurons, int64_t batch, torch::ScalarType type)
    : neurons_(neurons),
      kernel_(&neurons->model().kernel(type)),
      coefficients_(neurons->model().coefficients(type, {})),
      args_(neurons->model().arguments(*kernel_, false)) {
  const int64_t n = neurons->model().neurons(), lanes = batch * n;
  args_.steps = 1;
  args_.lanes = static_cast<long>(lanes);
  args_.first_step = -1;
  args_.seed = neurons->noise_seed();
  args_.coefficients = coefficients_->tensor.data_ptr();
  args_.coefficient_stride = static_cast<long>(coefficients_->stride);
  args_.input_stride[0] = args_.lanes;

  const auto options = torch::TensorOptions().dtype(type);
  before_ = torch::zeros({slots(), lanes}, options);
  after_ = torch::zeros({slots(), lanes}, options);
  // The first coefficients are the initial values of the states.
  const int64_t columns = coefficients_->stride == 0 ? 1 : n;
  const Tensor initial = coefficients_->tensor.narrow(0, 0, states()).view({states(), 1, columns});
  after_.narrow(0, 0, states()).view({states(), batch, n}).copy_(initial);
  output_ = torch::zeros({batch, n}, options);
  ones_ = torch::ones({lanes}, options);
  units_ = torch::zeros({states(), slots(), lanes}, options);
  for (int64_t k = 0; k < states(); ++k) units_.select(0, k).select(0, k).fill_(1);
  derivatives_.state_by_state = torch::empty({states(), slots(), lanes}, options);
  derivatives_.state_by_input = torch::empty({states(), lanes}, options);
  derivatives_.output_by_state = torch::empty({slots(), lanes}, options);
  derivatives_.output_by_input = torch::empty({lanes}, options);
}

const Tensor& OnlineNeurons::step(const Tensor& drive) {
  drive_ = drive.contiguous();
  std::swap(before_, after_);
  ++args_.first_step;
  bouton_forward_args args = args_;
  args.inputs[0] = drive_.data_ptr();
  args.state_in = before_.data_ptr();
  args.state_out = after_.data_ptr();
  (args.traced_state >= 0 ? args.trace : args.output) = output_.data_ptr();
  run_forward(*kernel_, args);
  return output_;
}

const StepDerivatives& OnlineNeurons::derive(bool output_alone) {
  bouton_backward_args args{};
  args.forward = args_;
  args.forward.inputs[0] = drive_.data_ptr();
  args.forward.state_in = before_.data_ptr();
  args.reset_gradient = neurons_->model().reset_gradient();
  CoefficientSums none(*kernel_, args_, false);
  for (int64_t k = 0; !output_alone && k < states(); ++k) {
    args.grad_state_out = units_.select(0, k).data_ptr();
    args.grad_state_in = derivatives_.state_by_state.select(0, k).data_ptr();
    args.grad_inputs[0] = derivatives_.state_by_input.select(0, k).data_ptr();
    run_backward(*kernel_, args, none);
  }
  args.grad_state_out = nullptr;
  (args.forward.traced_state >= 0 ? args.grad_trace : args.grad_output) = ones_.data_ptr();
  args.grad_state_in = derivatives_.output_by_state.data_ptr();
  args.grad_inputs[0] = derivatives_.output_by_input.data_ptr();
  run_backward(*kernel_, args, none);
  return derivatives_;
}

namespace {

// The derivatives of one lane, one after another: states by states, states by input, output by states, output by input.
// Those of spikes are divided by the largest, so that the surrogate drops out; empty where all of them are zero.
std::vector<double> lane_derivatives(const StepDerivatives& d, int64_t lane, bool spiking) {
  const int64_t states = d.state_by_state.size(0), slots = d.state_by_state.size(1), lanes = d.state_by_state.size(2);
  std::vector<double> all;
  for (int64_t k = 0; k < states; ++k) {
    for (int64_t l = 0; l < states; ++l)
      all.push_back(d.state_by_state.data_ptr<double>()[(k * slots + l) * lanes + lane]);
  }
  for (int64_t k = 0; k < states; ++k) all.push_back(d.state_by_input.data_ptr<double>()[k * lanes + lane]);
  const std::size_t outputs = all.size();
  for (int64_t l = 0; l < states; ++l) all.push_back(d.output_by_state.data_ptr<double>()[l * lanes + lane]);
  all.push_back(d.output_by_input.data_ptr<double>()[lane]);
  if (!spiking) return all;
  double largest = 0;
  for (std::size_t i = outputs; i < all.size(); ++i) largest = std::max(largest, std::abs(all[i]));
  if (!(largest > 0)) return {};
  for (std::size_t i = outputs; i < all.size(); ++i) all[i] /= largest;
  return all;
}

bool spikes(const NeuronModel& model) {
  return model.mechanism().spike && !model.mechanism().output && model.traced_state() < 0;
}

}  // namespace

std::optional<LinearStep> linear_step(const Neurons& neurons) {
  constexpr int64_t batch = 2, steps = 4;
  constexpr double tolerance = 1e-9, drive = 1e-3;
  NeuronsOptions options = neurons->options();
  options.surrogate = {.kind = SurrogateKind::arctan};  // nowhere zero
  Neurons probe(options);
  OnlineNeurons online(probe, batch, torch::kDouble);
  const int64_t lanes = batch * probe->model().neurons();
  RandomStream stream(1, purpose("linear step"));

  std::vector<double> known;
  for (int64_t t = 0; t < steps; ++t) {
    Tensor input = torch::empty({batch, probe->model().neurons()}, torch::kDouble);
    std::generate_n(input.data_ptr<double>(), lanes, [&] { return drive * stream.uniform(-1, 1); });
    online.step(input);
    const StepDerivatives& derivatives = online.derive();
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const std::vector<double> now = lane_derivatives(derivatives, lane, spikes(probe->model()));
      if (known.empty()) known = now;
      const auto agrees = [&](double a, double b) { return std::abs(a - b) <= tolerance * std::abs(a); };
      if (now.empty() || !std::equal(known.begin(), known.end(), now.begin(), agrees)) return std::nullopt;
    }
  }
  const int64_t states = online.states();
  LinearStep linear{.states = states};
  auto from = known.begin();
  const auto take = [&](std::vector<double>& to, int64_t count) {
    to.assign(from, from + count);
    from += count;
  };
  take(linear.a, states * states);
  take(linear.b, states);
  take(linear.c, states);
  linear.d = *from;
  return linear;
}

}  // namespace bouton::learn
