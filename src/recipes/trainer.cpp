// Training: batches, steps, evaluations, checkpoints.

#include <unistd.h>

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <span>
#include <sstream>
#include <thread>
#include <utility>

#include "bouton/base/files.hpp"
#include "bouton/base/hash.hpp"
#include "bouton/learn/optimisers.hpp"
#include "bouton/learn/schedules.hpp"
#include "bouton/recipes/recipes.hpp"
#include "recipes/average.hpp"
#include "recipes/checkpoint.hpp"
#include "recipes/loads.hpp"
#include "recipes/measure.hpp"
#include "recipes/run_folder.hpp"
#include "recipes/run_record.hpp"
#include "recipes/samples.hpp"
#include "recipes/saved.hpp"
#include "recipes/slices.hpp"
#include "recipes/transfer.hpp"

namespace bouton::recipes {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Diagnostic problem(std::string code, std::string message, std::string hint = {}, std::string file = {}) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.file = std::move(file);
  d.hint = std::move(hint);
  return d;
}

// LibTorch's own error, memory exhausted among them.
Diagnostic tensor_library_failed(const std::exception& error, const std::string& file) {
  return problem("training-failed", "training ended with an error of the tensor library: " + first_line(error.what()),
                 {}, file);
}

learn::OptimiserOptions optimiser_options(const Training& t) {
  learn::OptimiserOptions o;
  o.kind = t.optimiser == "sgd"     ? learn::OptimiserKind::sgd
           : t.optimiser == "adamw" ? learn::OptimiserKind::adamw
                                    : learn::OptimiserKind::adam;
  o.learning_rate = t.learning_rate;
  o.momentum = o.beta1 = t.momentum;
  o.beta2 = t.beta2;
  o.weight_decay = t.weight_decay;
  o.decay_matrices_only = true;
  o.gradient_clip = t.gradient_clip;
  return o;
}

learn::ScheduleOptions schedule_options(const Training& t, int64_t batches) {
  learn::ScheduleOptions s;
  s.kind = learn::schedule_by_name(t.schedule).value();
  s.learning_rate = t.learning_rate;
  s.steps = t.epochs * batches;
  s.warmup = t.warmup;
  s.final_factor = t.decay;
  const bool by_step = t.schedule == "step";
  s.decay_steps = by_step ? t.decay_epochs * batches : batches;
  s.decay_factor = t.decay > 0 ? t.decay : by_step ? 0.1 : 0.9;
  return s;
}

std::vector<std::pair<std::string, double>> named(const Measurement& measurement) {
  std::vector<std::pair<std::string, double>> figures;
  if (measurement.count == 0) return figures;
  for (const evaluate::Figure& figure : measurement.figures()) figures.emplace_back(figure.name, figure.value);
  return figures;
}

// Those of this process: all the cores it may run on, shared with the other processes where none has its own.
int thread_count(int wanted, int processes) {
  if (wanted > 0) return wanted;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const bool bound = cores < static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  return std::max(1, bound ? cores : cores / processes);
}

// What tells one training set from another: a resumed run must find the same. Sums are enough, nobody forges them here.
std::string data_hash(const data::ImageSet& images) {
  const uint32_t labels = crc32c({reinterpret_cast<const char*>(images.labels.data()), images.labels.size()});
  uint32_t all = labels;
  const auto add = [&](const auto& list) {
    all = crc32c({reinterpret_cast<const char*>(list.data()), list.size() * sizeof(list[0])}, all);
  };
  add(images.pixels);
  add(images.values);
  add(images.targets.classes);
  add(images.targets.numbers);
  return std::to_string(images.count) + "-" + std::to_string(labels) + "-" + std::to_string(all);
}

class Trainer {
 public:
  Trainer(Recipe recipe, const TrainOptions& options, const Progress& progress)
      : recipe_(std::move(recipe)),
        options_(options),
        progress_(progress),
        ranks_(options.ranks ? options.ranks : std::make_shared<Ranks>()),
        agree_(*ranks_) {}

  Result<TrainReport> run() {
    started_ = Clock::now();
    threads_ = thread_count(options_.threads, ranks_->count());
    at::set_num_threads(threads_);
    if (auto ready = agree_(caught([&] { return open_run(); })); !ready.ok()) return ready.diagnostics();
    // One after another: the first may have to fetch the data.
    if (!leads()) {
      if (auto ready = agree_(Done{}); !ready.ok()) return ready.diagnostics();
    }
    if (auto ready = agree_(caught([&] { return prepare(); })); !ready.ok()) return ready.diagnostics();
    if (leads()) {
      if (auto ready = agree_(Done{}); !ready.ok()) return ready.diagnostics();
    }
    if (auto ready = agree_(caught([&] { return start_or_continue(); })); !ready.ok()) return ready.diagnostics();
    while (!state_.finished) {
      if (stop_asked()) return stopped();
      auto done = epoch();
      if (!done.ok()) return done.diagnostics();
      if (!done.value()) return stopped();
    }
    return report(false);
  }

 private:
  // Whether this process writes the files; the only one does.
  [[nodiscard]] bool leads() const { return ranks_->rank() == 0; }

  // What a part of the work throws, as what it found wrong: the other processes wait to hear of it.
  template <typename Part>
  Status caught(const Part& part) const {
    if (ranks_->count() == 1) return part();
    try {
      return part();
    } catch (const Error& error) {
      return error.diagnostics();
    } catch (const std::exception& error) {
      return tensor_library_failed(error, recipe_.file.string());
    }
  }

  // ---- before the first step

  // Settles what is run: the recipe with the options over it, or, when resuming, what the checkpoint says.
  Status open_run() {
    if (options_.resume) {
      auto folder = leads() ? TrainingFolder::reopen(options_.run_folder)
                            : Result<TrainingFolder>(TrainingFolder::followed(options_.run_folder));
      if (!folder.ok()) return folder.diagnostics();
      folder_.emplace(std::move(folder).value());
      auto read = read_checkpoint(folder_->checkpoint());
      if (!read.ok()) return read.diagnostics();
      resumed_ = std::move(read).value();
      if (auto same = adopt(resumed_->identity); !same.ok()) return same;
    } else {
      if (options_.data) recipe_.data = *options_.data;
      if (options_.epochs) recipe_.training.epochs = *options_.epochs;
      if (options_.seed) recipe_.training.seed = *options_.seed;
      if (options_.from) recipe_.training.from = std::filesystem::absolute(*options_.from).lexically_normal().string();
      if (recipe_.training.slices == 0) recipe_.training.slices = ranks_->count();
      limit_ = options_.limit;
    }
    if (auto shared = check_slices(); !shared.ok()) return shared;
    if (recipe_.training.epochs < 1)
      return problem("out-of-range",
                     "the number of epochs must be at least 1, not " + std::to_string(recipe_.training.epochs));
    if (limit_ < 0) return problem("out-of-range", "the limit of training samples must not be negative");
    return Done{};
  }

  Status check_slices() const {
    const int64_t slices = recipe_.training.slices, batch = recipe_.training.batch;
    const auto processes = static_cast<int64_t>(ranks_->count());
    if (slices > batch)
      return problem("out-of-range",
                     "a batch of " + std::to_string(batch) + " samples cannot be computed in " +
                         std::to_string(slices) + " slices",
                     {}, recipe_.file.string());
    if (slices % processes == 0) return Done{};
    return problem("uneven-slices",
                   "this run computes each batch in " + std::to_string(slices) + " slices, which " +
                       std::to_string(processes) + " processes cannot share evenly",
                   "start a number of processes that divides it, or set 'slices' in [training]", recipe_.file.string());
  }

  // A resumed run goes on as it began: an option that says otherwise is refused rather than dropped.
  Status adopt(const RunIdentity& begun) {
    const auto differs = [&](const std::string& what, const std::string& was, const std::string& now) {
      return problem("resume-differs", "this run was begun with " + what + " " + was + ", not " + now,
                     "resume it as it was begun, or start a new run", folder_->path().string());
    };
    if (recipe_.text != begun.recipe_text) {
      return problem("resume-differs", "this run was begun with another recipe than this",
                     "its own is " + folder_->recipe().string() + "; or start a new run", folder_->path().string());
    }
    if (options_.seed && *options_.seed != begun.seed)
      return differs("seed", std::to_string(begun.seed), std::to_string(*options_.seed));
    if (options_.epochs && *options_.epochs != begun.epochs)
      return differs("epochs", std::to_string(begun.epochs), std::to_string(*options_.epochs));
    if (options_.limit != 0 && options_.limit != begun.limit)
      return differs("limit", std::to_string(begun.limit), std::to_string(options_.limit));
    if (options_.from) {
      const std::string now = std::filesystem::absolute(*options_.from).lexically_normal().string();
      if (now != begun.from) return differs("the weights of", begun.from.empty() ? "no model" : begun.from, now);
    }
    recipe_.training.from = begun.from;
    recipe_.training.slices = begun.slices;
    recipe_.training.seed = begun.seed;
    recipe_.training.epochs = begun.epochs;
    limit_ = begun.limit;
    // A folder may have moved; the data's hash is what counts.
    recipe_.data = options_.data.value_or(begun.data);
    if (begun.threads != threads_) {
      message("the run was begun with " + std::to_string(begun.threads) + " threads: with " + std::to_string(threads_) +
              " the last bits may differ");
    }
    return Done{};
  }

  Status prepare() {
    auto samples = load_samples(recipe_, limit_);
    if (!samples.ok()) return samples.diagnostics();
    samples_.emplace(std::move(samples).value());
    const data::ImageSet& train = samples_->images.train;
    const data::ImageSet& test = samples_->images.test;
    if (test.channels != train.channels || test.height != train.height || test.width != train.width) {
      return problem("shape-mismatch", "the test samples are of another size than the training samples", {},
                     recipe_.data);
    }
    const auto shaped = input_shape(train, recipe_);
    if (!shaped.ok()) return shaped.diagnostics();
    const std::vector<int64_t>& shape = shaped.value();
    auto network = build_network(recipe_, shape);
    if (!network.ok()) return network.diagnostics();
    network_ = network.value();
    auto rule = build_rule(recipe_, network_);
    if (!rule.ok()) return rule.diagnostics();
    rule_ = std::move(rule).value();
    batch_maker_.emplace(train, recipe_, recipe_.training.batch);
    validation_maker_.emplace(train, recipe_, evaluation_batch);
    test_maker_.emplace(test, recipe_, evaluation_batch);
    if (auto fits = check_task(); !fits.ok()) return fits;

    auto learning = learning_of(network_, recipe_.training, recipe_.file.string());
    if (!learning.ok()) return learning.diagnostics();
    optimiser_.emplace(learning.value().parameters, optimiser_options(recipe_.training), learning.value().rates);
    slices_.emplace(network_, ranks_, recipe_.training.slices);
    tell_of_slices();
    batches_ = (static_cast<int64_t>(samples_->train.size()) + recipe_.training.batch - 1) / recipe_.training.batch;
    schedule_ = schedule_options(recipe_.training, batches_);
    if (recipe_.training.average > 0) {
      auto shadow = build_network(recipe_, shape);
      if (!shadow.ok()) return shadow.diagnostics();
      average_.emplace(network_, shadow.value(), recipe_.training.average);
    }
    return Done{};
  }

  void tell_of_slices() const {
    const auto& layers = recipe_.network.layers;
    const bool norms = std::any_of(layers.begin(), layers.end(), [](const learn::LayerSpec& layer) {
      return std::holds_alternative<learn::NormSpec>(layer);
    });
    const int64_t slices = recipe_.training.slices;
    if (slices == 1) return;
    message("each batch of " + std::to_string(recipe_.training.batch) + " samples is computed in " +
            std::to_string(slices) + " slices" +
            (norms ? ": normalisation takes the mean and deviation of its slice, not of the whole batch" : ""));
  }

  // Whether network, targets and what is asked of them fit together: one sample tells.
  Status check_task() {
    const data::ImageSet& train = samples_->images.train;
    const Training& training = recipe_.training;
    const auto first = std::span<const int64_t>(samples_->train).first(1);
    torch::Tensor scores;
    {
      const torch::NoGradGuard no_gradient;
      network_->eval();
      scores = network_->forward(batch_maker_->make(first, 0).input);
      network_->train();
    }
    const bool by_position = train.goal() == data::Goal::class_by_position;
    if (!by_position && scores.dim() != 2)
      return problem("layer-shape",
                     "the last layer must give one number a class: put a flatten layer and a dense one before it", {},
                     recipe_.file.string());
    if (by_position && (scores.dim() < 3 || scores.numel() != scores.size(1) * train.targets.positions)) {
      return problem("layer-shape",
                     "there are classes for " + std::to_string(train.targets.positions) +
                         " positions of a sample, but the network gives " +
                         std::to_string(scores.dim() < 3 ? 1 : scores.numel() / scores.size(1)),
                     "give scores at each step or position: [readout] kind", recipe_.file.string());
    }
    for (const data::ImageSet* set : {&train, static_cast<const data::ImageSet*>(&samples_->images.test)}) {
      if (auto fits = data::check_labels(*set, scores.size(1), recipe_.data); !fits.ok()) return fits;
    }
    if (auto fits = check_loss(train.goal()); !fits.ok()) return fits;
    if (static_cast<int64_t>(training.class_weights.size()) > scores.size(1))
      return problem("out-of-range",
                     "class_weights has " + std::to_string(training.class_weights.size()) + " weights for " +
                         std::to_string(scores.size(1)) + " classes",
                     {}, recipe_.file.string());
    objective_.emplace(training, train, samples_->train);
    return check_choice(named(measure(network_, *batch_maker_, first, *objective_)));
  }

  Status check_loss(data::Goal goal) const {
    const std::string& loss = recipe_.training.loss;
    const bool numbers = goal == data::Goal::numbers;
    if (loss.empty() || loss == "mse" || numbers == (loss == "mae" || loss == "huber")) return Done{};
    return problem(
        "loss-task",
        "the loss \"" + loss + "\" is not for " + (numbers ? "numbers" : "classes") + ", which this data asks for",
        numbers ? "mse, mae and huber are" : "cross_entropy and mse are", recipe_.file.string());
  }

  Status check_choice(const std::vector<std::pair<std::string, double>>& figures) const {
    const std::string& wanted = recipe_.training.choose_by;
    if (wanted.empty()) return Done{};
    std::vector<std::string> names;
    for (const auto& [name, value] : figures) names.push_back(name);
    if (std::find(names.begin(), names.end(), wanted) != names.end()) return Done{};
    return problem("unknown-figure", "this task has no figure '" + wanted + "' to choose the model by",
                   hint_for(wanted, names), recipe_.file.string());
  }

  Status start_or_continue() {
    identity_ = {.recipe_text = recipe_.text,
                 .data = recipe_.data,
                 .seed = recipe_.training.seed,
                 .epochs = recipe_.training.epochs,
                 .limit = limit_,
                 .threads = threads_,
                 .slices = recipe_.training.slices,
                 .from = recipe_.training.from,
                 .training_samples = static_cast<int64_t>(samples_->train.size()),
                 .data_hash = data_hash(samples_->images.train)};
    const auto status = resumed_ ? restore() : begin();
    resumed_.reset();
    last_checkpoint_ = Clock::now();
    return status;
  }

  Status begin() {
    if (!recipe_.training.from.empty()) {
      auto moved = transfer(recipe_.training.from, network_, recipe_.training.anew, recipe_.file.string());
      if (!moved.ok()) return moved.diagnostics();
      message(moved.value().to_text(recipe_.training.from));
    }
    if (options_.adaptation.begin) {
      if (auto begun = options_.adaptation.begin(network_, false); !begun.ok()) return begun;
    }
    if (average_) {
      const NamedTensors start = tensors_of(*network_);
      if (auto same = assign(tensors_of(*average_->network()), start, {}); !same.ok()) return same;
    }
    if (!leads()) {
      folder_.emplace(TrainingFolder::followed(options_.run_folder));
      return Done{};
    }
    auto folder = TrainingFolder::create(options_.run_folder, recipe_.name);
    if (!folder.ok()) return folder.diagnostics();
    folder_.emplace(std::move(folder).value());
    std::uintmax_t bytes = 0;
    for (const auto& [name, tensor] : tensors_of(*network_)) bytes += tensor.nbytes();
    // Model, and checkpoints with moments, average and best model, of which two are there while one replaces the other.
    if (auto room = folder_->require_space(12 * bytes + (8U << 20)); !room.ok()) return room;
    if (auto written = write_file_atomically(folder_->recipe(), recipe_.text); !written.ok()) return written;
    if (auto opened = open_record(); !opened.ok()) return opened;
    // The first checkpoint proves that the folder takes one before any time is spent.
    return save_checkpoint();
  }

  Status restore() {
    const RunIdentity& begun = resumed_->identity;
    const std::string file = folder_->checkpoint().string();
    if (begun.data_hash != identity_.data_hash || begun.training_samples != identity_.training_samples) {
      return problem("resume-differs", "the training images are not those this run was begun with",
                     "name the folder they are in with --data", recipe_.data);
    }
    if (auto done = assign(tensors_of(*network_), resumed_->model, file); !done.ok()) return done;
    if (auto done = optimiser_->load_state(resumed_->optimiser); !done.ok()) return done;
    if (average_) {
      if (auto done = assign(tensors_of(*average_->network()), resumed_->average, file); !done.ok()) return done;
    }
    if (options_.adaptation.begin) {
      if (auto begun = options_.adaptation.begin(network_, true); !begun.ok()) return begun;
    }
    best_ = resumed_->best;
    state_ = resumed_->state;
    if (auto opened = open_record(); !opened.ok()) return opened;
    message("resuming at epoch " + std::to_string(state_.epoch + 1) + ", batch " + std::to_string(state_.batch + 1));
    return Done{};
  }

  Status open_record() {
    if (!leads()) return Done{};
    auto record = RunRecord::open(folder_->path(), recipe_, samples_->images.train.class_names);
    if (!record.ok()) return record.diagnostics();
    record_.emplace(std::move(record).value());
    return Done{};
  }

  // ---- the run

  int64_t all_steps() const { return recipe_.training.epochs * batches_; }

  // Goes through the rest of the epoch under way. False: stop was asked.
  Result<bool> epoch() {
    const auto order = data::shuffled(static_cast<int64_t>(samples_->train.size()), recipe_.training.seed,
                                      static_cast<uint64_t>(state_.epoch + 1));
    network_->train();
    epoch_started_ = Clock::now();
    while (state_.batch < batches_) {
      if (auto done = one_batch(order); !done.ok()) return done.diagnostics();
      if (stop_asked()) return false;
      if (checkpoint_due()) unsaved_ = save_checkpoint();
      if (ranks_->count() == 1 && !unsaved_.ok()) return unsaved_.diagnostics();
    }
    if (auto done = agree_(caught([&] { return end_epoch(); })); !done.ok()) return done.diagnostics();
    return true;
  }

  Status one_batch(const std::vector<int64_t>& order) {
    const int64_t begin = state_.batch * recipe_.training.batch;
    const int64_t end = std::min<int64_t>(begin + recipe_.training.batch, static_cast<int64_t>(order.size()));
    indices_.clear();
    for (int64_t i = begin; i < end; ++i)
      indices_.push_back(samples_->train[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]);

    optimiser_->set_learning_rate(learn::learning_rate_at(schedule_, state_.step));
    network_->set_progress(static_cast<double>(state_.step) /
                           static_cast<double>(std::max<int64_t>(1, recipe_.training.epochs * batches_)));
    optimiser_->zero_grad();
    const Status before = std::exchange(unsaved_, Done{});
    const auto computed = slices_->run(end - begin, before, [&](const Slices::Slice& slice) { return compute(slice); });
    if (!computed.ok()) return computed.diagnostics();
    const Slices::Outcome& outcome = computed.value();
    const double value = outcome.loss / static_cast<double>(end - begin);
    if (!std::isfinite(value)) return not_finite(value);
    optimiser_->step();
    network_->constrain();
    if (average_) average_->update(state_.step);

    ++state_.step;
    if (options_.adaptation.after_step)
      options_.adaptation.after_step(network_, average_ ? &average_->network() : nullptr, state_.step, all_steps());
    ++state_.batch;
    state_.loss_sum += outcome.loss;
    state_.seen += end - begin;
    state_.judged += outcome.judged;
    state_.correct += outcome.correct;
    stop_elsewhere_ = outcome.stop;
    if (leads() && progress_.on_batch)
      progress_.on_batch(state_.epoch + 1, recipe_.training.epochs, state_.batch, batches_, value);
    return Done{};
  }

  // Forward and backward through a part of the batch, whose masks and noise are its own.
  Slices::Outcome compute(const Slices::Slice& slice) {
    const std::size_t first = static_cast<std::size_t>(slice.first),
                      count = static_cast<std::size_t>(slice.last) - first;
    const auto batch =
        batch_maker_->make(std::span(indices_).subspan(first, count), static_cast<uint64_t>(state_.epoch + 1));
    network_->set_draw(static_cast<uint64_t>(state_.step + 1) | static_cast<uint64_t>(slice.number) << 48);
    const auto [scores, loss] = rule_->learn(batch.input, [&](const torch::Tensor& outputs) {
      torch::Tensor loss = objective_->learning_loss(outputs, batch);
      if (recipe_.training.rate_weight > 0)
        loss = loss + recipe_.training.rate_weight * network_->rate_penalty(recipe_.training.rate_target);
      return slice.share == 1 ? loss : loss * slice.share;
    });
    Slices::Outcome outcome{.loss = loss / slice.share * static_cast<double>(count)};
    const Hits found = hits(scores, batch);
    outcome.judged = found.judged;
    outcome.correct = found.correct;
    outcome.stop = ranks_->count() > 1 && options_.stop && options_.stop();
    return outcome;
  }

  Diagnostic not_finite(double value) const {
    std::ostringstream what;
    what << "the loss became " << value << " in epoch " << state_.epoch + 1 << ", batch " << state_.batch + 1
         << ", at a learning rate of " << optimiser_->learning_rate();
    return problem("loss-not-finite", what.str(),
                   "lower learning_rate, or set gradient_clip; the last good checkpoint is kept",
                   folder_->path().string());
  }

  Status end_epoch() {
    learn::Network& model = average_ ? average_->network() : network_;
    const Training& training = recipe_.training;
    const Measurement test = measure(model, *test_maker_, samples_->test, *objective_, ranks_.get());
    const Measurement validation = measure(model, *validation_maker_, samples_->validation, *objective_, ranks_.get());

    EpochReport report;
    report.epoch = ++state_.epoch;
    report.train_loss = state_.loss_sum / static_cast<double>(state_.seen);
    report.train_accuracy =
        static_cast<double>(state_.correct) / static_cast<double>(std::max<int64_t>(1, state_.judged));
    report.validation_loss = validation.loss;
    report.validation_accuracy = validation.accuracy();
    report.test_accuracy = test.accuracy();
    report.validation_figures = named(validation);
    report.chosen_by = chosen_by(training, samples_->images.train.goal());
    report.test_figures = named(test);
    report.learning_rate = optimiser_->learning_rate();
    report.activity = samples_->validation.empty() ? test.activity : validation.activity;

    // The test set decides nothing: without a validation split the last epoch's model is the one kept.
    const auto& settled = options_.adaptation.settled;
    const bool candidate = !settled || settled(state_.step, all_steps());
    const double liked = preference(validation, report.chosen_by);
    const bool improved =
        candidate && (samples_->validation.empty() || state_.best_epoch == 0 || liked > state_.best_preference);
    const bool better = agree_.from_first(improved ? 1 : 0) != 0;
    if (better) {
      state_.best_epoch = state_.epoch;
      state_.best_preference = liked;
      state_.best_confusion = test.confusion();
      state_.stale = 0;
      best_ = copies_of(tensors_of(*model));
    } else {
      ++state_.stale;
    }
    state_.batch = state_.seen = state_.judged = state_.correct = 0;
    state_.loss_sum = 0;
    state_.finished = state_.epoch >= training.epochs || (training.patience > 0 && state_.stale >= training.patience);
    report.seconds = state_.epoch_seconds + since(epoch_started_);
    state_.epoch_seconds = 0;
    epoch_started_ = Clock::now();
    state_.seconds += report.seconds;
    state_.history.push_back(report);

    if (!leads()) return Done{};
    if (!unsaved_.ok()) return unsaved_;
    if (better) {
      if (auto saved = save_model(folder_->model(), best_model(report)); !saved.ok()) return saved;
    }
    // The checkpoint comes last: killed before it, the epoch is done again and its records are written anew.
    // What the model costs is looked at once, at the end.
    std::optional<evaluate::EnergyReport> energy;
    if (state_.finished) energy = energy_of(recipe_, *model, *test_maker_, samples_->test);
    if (auto written = record_->add(test, *model, state_.history, state_.best_epoch, state_.best_confusion, energy);
        !written.ok())
      return written;
    if (auto saved = save_checkpoint(); !saved.ok()) return saved;
    if (progress_.on_epoch) progress_.on_epoch(report);
    return Done{};
  }

  ModelFile best_model(const EpochReport& report) const {
    const data::ImageSet& images = samples_->images.train;
    return model_file(recipe_, {images.channels, images.height, images.width}, best_,
                      model_notes(recipe_, images.class_names, report));
  }

  // ---- saving

  // Several processes stop where all have heard of it: after a step.
  bool stop_asked() const { return ranks_->count() > 1 ? stop_elsewhere_ : options_.stop && options_.stop(); }
  bool checkpoint_due() const { return since(last_checkpoint_) >= static_cast<double>(options_.checkpoint_seconds); }
  void message(const std::string& text) const {
    if (leads() && progress_.on_message) progress_.on_message(text);
  }

  Status save_checkpoint() {
    if (!leads()) return Done{};
    Checkpoint checkpoint{.identity = identity_,
                          .state = state_,
                          .model = tensors_of(*network_),
                          .optimiser = optimiser_->state(),
                          .average = {},
                          .best = best_};
    // A step may have spoiled the weights without the loss knowing yet; the last good checkpoint must survive that.
    if (!all_finite(checkpoint.model)) return not_finite(std::nan(""));
    if (average_) checkpoint.average = tensors_of(*average_->network());
    if (state_.batch > 0) checkpoint.state.epoch_seconds += since(epoch_started_);
    last_checkpoint_ = Clock::now();
    return write_checkpoint(folder_->checkpoint(), checkpoint);
  }

  Result<TrainReport> stopped() {
    if (auto saved = agree_(save_checkpoint()); !saved.ok()) return saved.diagnostics();
    return report(true);
  }

  TrainReport report(bool interrupted) const {
    TrainReport report;
    report.epochs = state_.history;
    report.best_epoch = state_.best_epoch;
    for (const EpochReport& e : state_.history) {
      if (e.epoch != state_.best_epoch) continue;
      report.test_accuracy = e.test_accuracy;
      report.validation_accuracy = e.validation_accuracy;
      report.test_figures = e.test_figures;
      report.validation_figures = e.validation_figures;
    }
    report.chosen_by = chosen_by(recipe_.training, samples_->images.train.goal());
    for (const torch::Tensor& p : network_->parameters()) report.parameters += p.numel();
    report.seconds = state_.seconds;
    report.run_folder = folder_->path();
    report.model = state_.best_epoch > 0 ? folder_->model() : std::filesystem::path{};
    report.tensorboard = folder_->path();
    report.report = folder_->report();
    report.interrupted = interrupted;
    return report;
  }

  static constexpr int64_t evaluation_batch = 250;  // large enough for the products, small enough for the caches

  Recipe recipe_;
  const TrainOptions& options_;
  const Progress& progress_;
  std::shared_ptr<Ranks> ranks_;
  Agreement agree_;
  int threads_ = 1;
  bool stop_elsewhere_ = false;
  Status unsaved_ = Done{};  // what went wrong with a checkpoint amid an epoch
  int64_t limit_ = 0, batches_ = 0;
  RunIdentity identity_;
  RunState state_;
  std::optional<Checkpoint> resumed_;
  std::optional<TrainingFolder> folder_;
  std::optional<Samples> samples_;
  learn::Network network_{nullptr};
  std::unique_ptr<learn::Rule> rule_;
  std::optional<learn::Optimiser> optimiser_;
  std::optional<Slices> slices_;
  std::optional<WeightAverage> average_;
  std::optional<Objective> objective_;
  std::optional<BatchMaker> batch_maker_, validation_maker_, test_maker_;
  std::optional<RunRecord> record_;
  learn::ScheduleOptions schedule_;
  NamedTensors best_;
  std::vector<int64_t> indices_;
  Clock::time_point started_, epoch_started_, last_checkpoint_;
};

}  // namespace

Result<TrainReport> train(const Recipe& recipe, const TrainOptions& options, const Progress& progress) {
  try {
    return Trainer(recipe, options, progress).run();
  } catch (const Error& error) {
    return error.diagnostics();
  } catch (const std::exception& error) {
    return tensor_library_failed(error, recipe.file.string());
  }
}

}  // namespace bouton::recipes
