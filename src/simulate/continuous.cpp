#include "simulate/continuous.hpp"

#include "simulate/kernel_seed.hpp"

namespace bouton::engine {

ContinuousProjection::ContinuousProjection(const Network& network, int projection,
                                           std::shared_ptr<const PlasticRule> rule, Lanes targets, std::uint64_t seed)
    : network_(network), projection_(projection), rule_(std::move(rule)), targets_(targets) {
  const Network::Projection& of = network.projections()[static_cast<std::size_t>(projection)];
  delay_ = of.min_delay;
  states_.resize(static_cast<std::size_t>(rule_->width()));
  args_.prepared = rule_->prepared();
  args_.seed = kernel_seed(seed, "synapse/" + of.name);
  args_.targets = targets.size();
  args_.quanta = 1;
  row_.assign(static_cast<std::size_t>(targets.size()) + 1, 0);
}

void ContinuousProjection::build(const PlasticSynapses& given) {
  const auto width = static_cast<std::size_t>(rule_->width());
  std::fill(row_.begin(), row_.end(), 0L);
  source_.clear();
  target_.clear();
  for (auto& column : states_) column.clear();
  for (std::size_t k = 0; k < given.synapses.size(); ++k) {
    const PlasticSynapse& synapse = given.synapses[k];
    const auto target = static_cast<std::size_t>(static_cast<std::int64_t>(synapse.target) - targets_.begin);
    ++row_[target + 1];
    source_.push_back(synapse.source);
    target_.push_back(static_cast<unsigned>(target));
    for (std::size_t s = 0; s < width; ++s) states_[s].push_back(given.states[k * width + s]);
  }
  for (std::size_t j = 0; j + 1 < row_.size(); ++j) row_[j + 1] += row_[j];
  columns_.clear();
  for (auto& column : states_) columns_.push_back(column.data());
  args_.target = target_.data();
  args_.states = columns_.data();
}

double ContinuousProjection::bytes() const {
  return static_cast<double>(source_.size()) * static_cast<double>(8 + 4 * rule_->width()) +
         static_cast<double>(row_.size() * sizeof(long));
}

void ContinuousProjection::add(std::int64_t step, const float* const* pre, const float* const* post, float* current) {
  args_.step = step;
  args_.pre = pre;
  args_.post = post;
  bouton_synapse_rows rows{};
  rows.end_target = targets_.size();
  rows.row = row_.data();
  rows.source = source_.data();
  if (rule_->kernel().every_row && rule_->every() > 0 && step > 0 && step % rule_->every() == 0) {
    rule_->modulators_at(static_cast<double>(step) * network_.dt(), modulators_);
    args_.modulators = modulators_.data();
    // Target by target, so that what is drawn does not depend on where the slice begins.
    for (long target = 0; target < targets_.size(); ++target) {
      bouton_synapse_rows one = rows;
      one.first_target = target;
      one.end_target = target + 1;
      one.first_id = static_cast<std::uint64_t>(targets_.begin + target) << 32;
      rule_->kernel().every_row(&args_, &one);
    }
  }
  rule_->kernel().current(&args_, &rows, current);
}

PlasticSynapses ContinuousProjection::stored() const {
  PlasticSynapses list;
  for (std::size_t k = 0; k < source_.size(); ++k) {
    list.synapses.push_back(
        {source_[k], static_cast<std::uint32_t>(targets_.begin + target_[k]), static_cast<std::uint16_t>(delay_)});
    for (const auto& column : states_) list.states.push_back(column[k]);
  }
  return list;
}

}  // namespace bouton::engine
