#pragma once
// Learning rules: how a batch becomes a gradient. Back-propagation through time is one of several;
// docs/learning-rules.md has their equations, costs and what they were measured at.

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "bouton/learn/network.hpp"

namespace bouton::learn {

enum class LearningRule {
  bptt,                      // back-propagation through time, with surrogate derivatives
  eprop,                     // Bellec et al. 2020, doi:10.1038/s41467-020-17236-y
  ottt,                      // Xiao et al. 2022, doi:10.48550/arXiv.2210.04195
  eventprop,                 // Wunderlich & Pehle 2021, doi:10.1038/s41598-021-91786-z
  feedback_alignment,        // Lillicrap et al. 2016, doi:10.1038/ncomms13276
  direct_feedback_alignment  // Nøkland 2016, Advances in NeurIPS 29, 1037-1045
};

// What carries the error from the read-out to the layers of eprop and ottt.
enum class FeedbackKind {
  symmetric,  // the weights of the forward pass, transposed
  random      // fixed random weights from the read-out straight to each layer
};

struct RuleOptions {
  LearningRule rule = LearningRule::bptt;
  FeedbackKind feedback = FeedbackKind::symmetric;  // of eprop and ottt
  uint64_t seed = 0;                                // of random feedback weights
};

// Scores [batch, classes] -> a scalar that carries its gradient.
using ScoresLoss = std::function<torch::Tensor(const torch::Tensor& scores)>;

// A rule for one network, which it keeps. Nothing is remembered from one batch to the next. Not thread safe; bits
// repeat for a given number of threads.
class Rule {
 public:
  virtual ~Rule() = default;
  struct Learned {
    torch::Tensor scores;  // [batch, classes], the read-out, detached
    double loss = 0;       // mean over the steps that have one
  };
  // One batch: adds to the gradients of the network's parameters. input: as for NetworkImpl::forward; the network is in
  // training mode. eprop and ottt take the loss of every step's output (of the last step's, with the read-out
  // last_output) and the mean of these; the others take the loss of the read-out.
  // Throws bouton::Error for input of another shape than the network's.
  virtual Learned learn(const torch::Tensor& input, const ScoresLoss& loss) = 0;
};

// Throws bouton::Error "rule-does-not-fit", naming the layer, where the network is none the rule can train.
[[nodiscard]] std::unique_ptr<Rule> make_rule(const RuleOptions& options, Network network);

}  // namespace bouton::learn
