// Which place of a search space to try next, and which trials to stop.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <numeric>

#include "bouton/base/random.hpp"
#include "bouton/recipes/tuning.hpp"

namespace bouton::recipes {
namespace {

constexpr int64_t random_trials = 8;  // before densities say anything
constexpr int candidates = 24;        // drawn of the good, the most promising is taken
constexpr double good_part = 0.25;

int64_t choice_of(const SearchDimension& dimension, double place) {
  const auto count = static_cast<int64_t>(dimension.choices.size());
  return std::clamp<int64_t>(static_cast<int64_t>(place * static_cast<double>(count)), 0, count - 1);
}

// How dense some places are along one dimension: Gaussians as wide as the distance to their neighbours and a uniform
// prior (Parzen), or, of choices, their counts and one more of each.
class Density {
 public:
  Density(const SearchDimension& dimension, std::vector<double> places)
      : dimension_(dimension), centres_(std::move(places)) {
    std::sort(centres_.begin(), centres_.end());
    const std::size_t count = centres_.size();
    const double least = 1 / std::min(100.0, static_cast<double>(count) + 1);
    for (std::size_t i = 0; i < count; ++i) {
      const double left = centres_[i] - (i > 0 ? centres_[i - 1] : 0);
      const double right = (i + 1 < count ? centres_[i + 1] : 1) - centres_[i];
      widths_.push_back(std::clamp(std::max(left, right), least, 1.0));
    }
  }

  double draw(RandomStream& random) const {
    const auto which = static_cast<std::size_t>(random.below(static_cast<uint32_t>(centres_.size()) + 1));
    if (which == centres_.size()) return random.uniform();
    if (!dimension_.choices.empty()) return centres_[which];
    for (int attempt = 0; attempt < 32; ++attempt) {
      const double place = centres_[which] + widths_[which] * random.normal();
      if (place >= 0 && place < 1) return place;
    }
    return centres_[which];
  }

  double at(double place) const {
    const double count = static_cast<double>(centres_.size()) + 1;
    if (!dimension_.choices.empty()) {
      double same = 1 / static_cast<double>(dimension_.choices.size());  // the prior is one trial spread over all
      for (const double centre : centres_) same += choice_of(dimension_, centre) == choice_of(dimension_, place);
      return same / count;
    }
    double sum = 1;
    for (std::size_t i = 0; i < centres_.size(); ++i) {
      const double z = (place - centres_[i]) / widths_[i];
      sum += std::exp(-z * z / 2) / (widths_[i] * std::sqrt(2 * std::numbers::pi));
    }
    return sum / count;
  }

 private:
  const SearchDimension& dimension_;
  std::vector<double> centres_, widths_;
};

// Trials that have ended, best first: who went further is the better one, then whose accuracy is.
std::vector<const Trial*> ranked(const std::vector<Trial>& known) {
  std::vector<const Trial*> ended;
  for (const Trial& trial : known)
    if (trial.state != Trial::State::running) ended.push_back(&trial);
  std::stable_sort(ended.begin(), ended.end(), [](const Trial* a, const Trial* b) {
    const bool a_finished = a->state == Trial::State::finished, b_finished = b->state == Trial::State::finished;
    if (a_finished != b_finished) return a_finished;
    if (!a_finished && a->validation.size() != b->validation.size()) return a->validation.size() > b->validation.size();
    return a->best() > b->best();
  });
  return ended;
}

std::vector<double> random_place(std::size_t dimensions, RandomStream& random) {
  std::vector<double> place(dimensions);
  for (double& p : place) p = random.uniform();
  return place;
}

std::vector<double> along(const std::vector<const Trial*>& trials, std::size_t begin, std::size_t end, std::size_t d) {
  std::vector<double> places;
  for (std::size_t i = begin; i < end; ++i) places.push_back(trials[i]->place[d]);
  return places;
}

double accuracy_at(const Trial& trial, int64_t epoch) {
  double best = 0;
  for (int64_t e = 0; e < epoch; ++e) best = std::max(best, trial.validation[static_cast<std::size_t>(e)]);
  return best;
}

std::string shortest(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.5g", value);  // more digits would pretend to a precision no search has
  const std::string number = text;
  return number.find_first_of(".en") == std::string::npos ? number + ".0" : number;
}

}  // namespace

std::string SearchDimension::value(double place) const {
  if (!choices.empty()) return choices[static_cast<std::size_t>(choice_of(*this, place))];
  const double high_end = integer ? high + 1 : high;  // of integers the last is as likely as the others
  double number = log ? low * std::pow(high_end / low, place) : low + (high_end - low) * place;
  if (integer) {
    number = std::min(std::floor(number), high);
    const std::string text = std::to_string(static_cast<int64_t>(number));
    return unit.empty() ? text : "\"" + text + " " + unit + "\"";
  }
  return unit.empty() ? shortest(number) : "\"" + shortest(number) + " " + unit + "\"";
}

double Trial::best() const { return validation.empty() ? 0 : *std::max_element(validation.begin(), validation.end()); }

std::vector<double> next_place(const TuningPlan& plan, const std::vector<Trial>& known, int64_t number) {
  RandomStream random(plan.seed, purpose("tune"), static_cast<uint64_t>(number));
  const auto trials = ranked(known);
  if (plan.method == SearchMethod::random || static_cast<int64_t>(trials.size()) < random_trials)
    return random_place(plan.space.size(), random);
  const auto good = static_cast<std::size_t>(std::ceil(good_part * static_cast<double>(trials.size())));
  std::vector<double> place(plan.space.size());
  for (std::size_t d = 0; d < place.size(); ++d) {  // dimensions are taken for independent of one another
    const Density dense(plan.space[d], along(trials, 0, good, d));
    const Density others(plan.space[d], along(trials, good, trials.size(), d));
    double most = -1;
    for (int c = 0; c < candidates; ++c) {
      const double candidate = dense.draw(random), ratio = dense.at(candidate) / others.at(candidate);
      if (ratio > most) {
        most = ratio;
        place[d] = candidate;
      }
    }
  }
  return place;
}

std::vector<int64_t> rungs(const TuningPlan& plan) {
  std::vector<int64_t> epochs;
  if (plan.reduction < 2) return epochs;
  for (int64_t e = plan.first_rung; e < plan.epochs; e *= plan.reduction) epochs.push_back(e);
  return epochs;
}

bool goes_on(const TuningPlan& plan, const std::vector<Trial>& trials, const Trial& trial, int64_t rung) {
  std::vector<double> reached;
  for (const Trial& other : trials)
    if (static_cast<int64_t>(other.validation.size()) >= rung) reached.push_back(accuracy_at(other, rung));
  if (static_cast<int64_t>(reached.size()) < plan.reduction) return true;
  const auto best = reached.size() / static_cast<std::size_t>(plan.reduction);
  std::nth_element(reached.begin(), reached.begin() + static_cast<std::ptrdiff_t>(best - 1), reached.end(),
                   std::greater<>());
  return accuracy_at(trial, rung) >= reached[best - 1];
}

}  // namespace bouton::recipes
