// A simulation from its network to its files, in stretches between which its state is saved.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>
#include <optional>

#include "bouton/base/files.hpp"
#include "bouton/base/run_folder.hpp"
#include "bouton/experiments/simulation.hpp"
#include "experiments/collected.hpp"
#include "experiments/outputs.hpp"
#include "simulate/content.hpp"

namespace bouton::experiments {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* snapshot_name = "snapshot.bouton";
constexpr const char* summary_name = "summary.json";
constexpr double frequency_bin = 1e-3, frequency_resolution = 2;  // seconds, hertz

double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

class Runner {
 public:
  Runner(const Simulation& simulation, const SimulationOptions& options, const SimulationProgress& progress)
      : simulation_(simulation),
        network_(*simulation.network),
        options_(options),
        progress_(progress),
        ranks_(options.ranks ? options.ranks : std::make_shared<Ranks>()),
        agree_(*ranks_),
        collected_(simulation.record) {}

  Result<SimulationReport> run() {
    if (auto opened = agree_(open_folder()); !opened.ok()) return opened.diagnostics();
    if (auto built = build(); !built.ok()) return built.diagnostics();
    if (auto begun = begin(); !begun.ok()) return begun.diagnostics();
    if (auto ran = run_stretches(); !ran.ok()) return ran.diagnostics();
    describe_run();
    if (auto saved = save_last(); !saved.ok()) return saved.diagnostics();
    if (!report_.interrupted) {
      if (auto finished = finish(); !finished.ok()) return finished.diagnostics();
    }
    return std::move(report_);
  }

 private:
  [[nodiscard]] bool leads() const { return ranks_->rank() == 0; }
  [[nodiscard]] bool keeps_files() const { return options_.output; }
  [[nodiscard]] fs::path snapshot() const { return folder_path_ / snapshot_name; }

  // The first rank holds the folder; the others only need its name, for saving is a common work.
  Status open_folder() {
    if (!keeps_files()) return Done{};
    if (leads()) {
      auto folder = options_.resume
                        ? RunFolder::reopen(options_.run_folder, snapshot_name)
                        : RunFolder::create(options_.run_folder, simulation_.name, {snapshot_name, summary_name});
      if (!folder.ok()) return folder.diagnostics();
      folder_.emplace(std::move(folder).value());
      folder_path_ = folder_->path();
    }
    return Done{};
  }

  Status build() {
    if (keeps_files() && ranks_->count() > 1) {
      std::vector<std::string> all;
      ranks_->all_gather_bytes(folder_path_.string(), all);
      folder_path_ = all.front();
    }
    ParameterOptions options{.seed = simulation_.seed,
                             .threads = options_.threads,
                             .ranks = ranks_,
                             .memory_limit = options_.memory_limit,
                             .stop = options_.stop};
    if (leads()) options.progress = progress_.on_construction;
    const auto begun = Clock::now();
    auto parameters = make_parameters(simulation_.network, options);
    if (auto made = agree_(status_of(parameters)); !made.ok()) return made;
    parameters_.emplace(std::move(parameters).value());
    auto state = make_state(*parameters_, simulation_.seed);
    if (auto made = agree_(status_of(state)); !made.ok()) return made;
    state_.emplace(std::move(state).value());
    report_.construction_seconds = ranks_->maximum(seconds_since(begun));
    return Done{};
  }

  template <typename T>
  static Status status_of(const Result<T>& result) {
    if (result.ok()) return Done{};
    return result.diagnostics();
  }

  [[nodiscard]] std::int64_t steps_of(double seconds) const { return std::llround(seconds / network_.dt()); }

  // At rest, at a given state, or where an earlier run was saved.
  Status begin() {
    if (options_.resume) return resume();
    double settle = simulation_.settle;
    if (!options_.from.empty()) {
      if (auto loaded = agree_(load_snapshot(options_.from, *parameters_, *state_)); !loaded.ok()) return loaded;
      settle = 0;
    }
    plan(state_->step(), settle);
    return Done{};
  }

  void plan(std::int64_t origin, double settle) {
    schedule_.origin = origin;
    schedule_.recorded = origin + steps_of(settle);
    schedule_.end = schedule_.recorded + std::max<std::int64_t>(steps_of(simulation_.duration), 1);
  }

  Status resume() {
    if (auto loaded = agree_(load_snapshot(snapshot(), *parameters_, *state_)); !loaded.ok()) return loaded;
    std::int64_t origin = 0;
    Status read = Done{};
    if (leads()) {
      auto loaded = load_stretches(folder_path_, state_->step(), simulation_.record, collected_);
      loaded.ok() ? void(origin = loaded.value()) : void(read = loaded.diagnostics());
    }
    if (auto agreed = agree_(read); !agreed.ok()) return agreed;
    origin = agree_.from_first(origin);
    plan(origin, origin == 0 ? simulation_.settle : 0);
    return Done{};
  }

  // ---- the run itself

  Status run_stretches() {
    saved_ = Clock::now();
    while (state_->step() < schedule_.end && !interrupted_) {
      const bool settling = state_->step() < schedule_.recorded;
      const auto before = weights_at(schedule_.recorded);
      const std::clock_t processor = std::clock();
      auto recording = simulate(*parameters_, *state_, stretch_options(settling));
      report_.cpu_seconds += static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC;
      if (auto ran = agree_(status_of(recording)); !ran.ok()) return ran;
      Recording& stretch = recording.value();
      complete(stretch, before, weights_at(schedule_.end));
      report_.seconds += stretch.seconds;
      if (!settling) {
        recorded_seconds_ += stretch.seconds;
        recorded_steps_ += stretch.steps;
      }
      report_.spike_hash = stretch.spike_hash;
      interrupted_ = ranks_->maximum(asked_ ? 1 : 0) > 0;
      if (auto kept = keep(stretch); !kept.ok()) return kept;
    }
    report_.interrupted = interrupted_ && state_->step() < schedule_.end;
    return Done{};
  }

  RunOptions stretch_options(bool settling) {
    const std::int64_t until = settling ? schedule_.recorded : schedule_.end;
    RunOptions options{.duration = static_cast<double>(until - state_->step()) * network_.dt(),
                       .record_all_spikes = false};
    if (!settling) {
      options.record_spikes = simulation_.record.spikes;
      options.states = simulation_.record.states;
      for (const WeightRecorder& recorder : simulation_.record.weights) {
        options.weights.push_back(recorder);
        // One that is asked for at the ends alone never comes to its turn.
        if (recorder.interval <= 0) options.weights.back().interval = never();
      }
    }
    if (leads() && progress_.on_run) {
      options.progress = [this, before = state_->step()](std::int64_t step, std::int64_t) {
        const auto seconds = [&](std::int64_t steps) { return static_cast<double>(steps) * network_.dt(); };
        progress_.on_run(seconds(before + step - schedule_.origin), seconds(schedule_.end - schedule_.origin));
      };
    }
    options.stop = [this] {
      asked_ = asked_ || (options_.stop && options_.stop());
      return asked_ || (keeps_files() && seconds_since(saved_) > options_.checkpoint_seconds);
    };
    return options;
  }

  [[nodiscard]] double never() const { return 1e15 * network_.dt(); }

  // The weights of the recorded projections, when the run stands at `step`; else nothing.
  [[nodiscard]] std::vector<std::vector<float>> weights_at(std::int64_t step) const {
    std::vector<std::vector<float>> weights;
    if (state_->step() != step) return weights;
    for (const WeightRecorder& recorder : simulation_.record.weights)
      weights.push_back(parameters_->weights_of(recorder.projection));
    return weights;
  }

  // Gives a stretch all the records of the plan, and the weights at the ends of the recorded time.
  void complete(Recording& stretch, const std::vector<std::vector<float>>& first,
                const std::vector<std::vector<float>>& last) const {
    const RecordPlan& plan = simulation_.record;
    for (std::size_t k = stretch.states.size(); k < plan.states.size(); ++k)
      stretch.states.push_back({plan.states[k].population, plan.states[k].state});
    for (std::size_t k = stretch.weights.size(); k < plan.weights.size(); ++k)
      stretch.weights.push_back({plan.weights[k].projection});
    const double begin = static_cast<double>(stretch.first_step) * network_.dt();
    const double end = static_cast<double>(stretch.first_step + stretch.steps) * network_.dt();
    for (std::size_t k = 0; k < first.size(); ++k) {
      WeightRecord& record = stretch.weights[k];
      record.times.insert(record.times.begin(), begin);
      record.weights.insert(record.weights.begin(), first[k]);
    }
    for (std::size_t k = 0; k < last.size(); ++k) {
      WeightRecord& record = stretch.weights[k];
      if (!record.times.empty() && record.times.back() > end - network_.dt() / 2) continue;  // it was its turn
      record.times.push_back(end);
      record.weights.push_back(last[k]);
    }
  }

  // Adds the stretch to what has been recorded and, while the run is not over, saves both.
  Status keep(const Recording& stretch) {
    if (!leads() && !keeps_files()) return Done{};
    if (leads()) collected_.add(stretch);
    const bool due = interrupted_ || seconds_since(saved_) > options_.checkpoint_seconds;
    const bool over = state_->step() >= schedule_.end;
    if (!keeps_files()) return Done{};
    if (leads() && !over) unsaved_.push_back(stretch);
    if (over || ranks_->maximum(due ? 1 : 0) == 0) return Done{};
    return checkpoint();
  }

  Status checkpoint() {
    Status written = Done{};
    for (const Recording& stretch : unsaved_) {
      if (written.ok()) written = save_stretch(folder_path_, stretch, schedule_);
    }
    unsaved_.clear();
    if (auto agreed = agree_(written); !agreed.ok()) return agreed;
    if (auto saved = agree_(save_snapshot(snapshot(), *parameters_, *state_)); !saved.ok()) return saved;
    saved_ = Clock::now();
    report_.saved = snapshot();
    return Done{};
  }

  // ---- what is told of it

  void describe_run() {
    report_.name = simulation_.name;
    report_.settings = simulation_.settings;
    report_.seed = simulation_.seed;
    report_.neurons = network_.neurons();
    report_.synapses = ranks_->sum(static_cast<double>(parameters_->synapses()));
    const double bytes = ranks_->sum(parameters_->synapse_bytes());
    report_.bytes_per_synapse = report_.synapses > 0 ? bytes / report_.synapses : 0;
    report_.duration = static_cast<double>(schedule_.end - schedule_.recorded) * network_.dt();
    report_.seconds = ranks_->maximum(report_.seconds);
    report_.cpu_seconds = ranks_->sum(report_.cpu_seconds);
    const double biology = static_cast<double>(recorded_steps_) * network_.dt();
    report_.real_time_factor =
        biology > 0 ? ranks_->maximum(recorded_seconds_) / biology : std::numeric_limits<double>::quiet_NaN();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    report_.peak_memory_bytes = ranks_->sum(static_cast<double>(usage.ru_maxrss) * 1024);
    report_.ranks = ranks_->count();
    report_.threads = parameters_->content().threads;
    report_.network_identity = network_.identity();
    report_.run_folder = folder_path_;
    if (leads() && !report_.interrupted) describe_populations();
  }

  void describe_populations() {
    const evaluate::Spikes spikes{collected_.spikes.step, collected_.spikes.neuron};
    const evaluate::StepWindow window{schedule_.recorded, schedule_.end, network_.dt()};
    std::vector<evaluate::NeuronRange> ranges;
    for (const int index : simulation_.record.spikes) {
      const Network::Population& population = network_.populations()[static_cast<std::size_t>(index)];
      ranges.push_back({population.first, population.size});
      report_.populations.push_back({population.name, population.mechanism == nullptr});
    }
    const auto activity = evaluate::population_activity(spikes, ranges, window);
    const std::int64_t bin = std::max<std::int64_t>(steps_of(frequency_bin), 1);
    const auto rates = evaluate::population_rates(spikes, ranges, window, bin);
    for (std::size_t p = 0; p < ranges.size(); ++p) {
      report_.populations[p].activity = activity[p];
      report_.populations[p].dominant_frequency =
          evaluate::dominant_frequency(rates[p], static_cast<double>(bin) * network_.dt(), frequency_resolution);
    }
  }

  // Where the user wants the last state, also of an interrupted run.
  Status save_last() {
    if (options_.snapshot.empty()) return Done{};
    if (auto saved = agree_(save_snapshot(options_.snapshot, *parameters_, *state_)); !saved.ok()) return saved;
    if (report_.saved.empty()) report_.saved = options_.snapshot;
    return Done{};
  }

  Status finish() {
    RecordedSynapses synapses;
    for (const WeightRecorder& recorder : simulation_.record.weights)
      synapses.push_back(parameters_->synapses_of(recorder.projection));
    if (!keeps_files()) return Done{};
    return agree_(leads() ? write_files(synapses) : Status(Done{}));
  }

  Status write_files(const RecordedSynapses& synapses) {
    auto files = write_recordings(folder_path_, simulation_, collected_, schedule_, synapses);
    if (!files.ok()) return files.diagnostics();
    report_.files = std::move(files).value();
    const fs::path manifest = folder_path_ / "manifest.json", summary = folder_path_ / summary_name;
    report_.files.push_back(manifest);
    report_.files.push_back(summary);
    report_.saved = options_.snapshot;
    if (auto written = write_file_atomically(manifest, manifest_text(simulation_, options_, report_)); !written.ok())
      return written;
    if (auto written = write_file_atomically(summary, summary_json(report_) + "\n"); !written.ok()) return written;
    std::error_code ignored;
    fs::remove(snapshot(), ignored);
    remove_stretches(folder_path_);
    return Done{};
  }

  const Simulation& simulation_;
  const Network& network_;
  const SimulationOptions& options_;
  const SimulationProgress& progress_;
  std::shared_ptr<Ranks> ranks_;
  Agreement agree_;
  std::optional<RunFolder> folder_;
  fs::path folder_path_;
  std::optional<Parameters> parameters_;
  std::optional<State> state_;
  Schedule schedule_;
  Collected collected_;
  std::vector<Recording> unsaved_;  // stretches since the last checkpoint
  Clock::time_point saved_;
  bool asked_ = false, interrupted_ = false;
  double recorded_seconds_ = 0;
  std::int64_t recorded_steps_ = 0;
  SimulationReport report_;
};

}  // namespace

Result<SimulationReport> run_simulation(const Simulation& simulation, const SimulationOptions& options,
                                        const SimulationProgress& progress) {
  return Runner(simulation, options, progress).run();
}

}  // namespace bouton::experiments
