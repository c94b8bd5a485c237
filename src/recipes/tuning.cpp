// Trials of a search as processes: started, watched, stopped, remembered.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "bouton/base/files.hpp"
#include "bouton/base/run_folder.hpp"
#include "bouton/data/png.hpp"
#include "bouton/evaluate/pictures.hpp"
#include "bouton/recipes/recipes.hpp"
#include "bouton/recipes/tuning.hpp"
#include "recipes/problem.hpp"
#include "settings/overrides.hpp"

extern char** environ;

namespace bouton::recipes {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr const char* state_names[] = {"running", "finished", "stopped", "failed"};

// ---- what is remembered

json to_json(const Trial& trial) {
  return {{"number", trial.number},         {"place", trial.place},
          {"values", trial.values},         {"state", state_names[static_cast<int>(trial.state)]},
          {"validation", trial.validation}, {"test", trial.test},
          {"problem", trial.problem}};
}

Trial trial_of(const json& json) {
  Trial trial;
  trial.number = json.at("number");
  trial.place = json.at("place").get<std::vector<double>>();
  trial.values = json.at("values").get<std::vector<std::pair<std::string, std::string>>>();
  const std::string state = json.at("state");
  for (int s = 0; s < 4; ++s)
    if (state == state_names[s]) trial.state = static_cast<Trial::State>(s);
  trial.validation = json.at("validation").get<std::vector<double>>();
  trial.test = json.at("test");
  trial.problem = json.at("problem");
  return trial;
}

// ---- one trial's process

// Starts a program without a shell; what it prints goes to files. -1 where that fails.
pid_t start(const std::vector<std::string>& command, const fs::path& output, const fs::path& log) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  // A group of its own: Ctrl-C reaches this process alone, which then asks each trial to save.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t child = -1;
  const int failed = posix_spawn(&child, words[0], &actions, &attributes, words.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed ? -1 : child;
}

class Tuner {
 public:
  Tuner(const TuningPlan& plan, const TuneOptions& options, Recipe recipe, RunFolder folder)
      : plan_(plan), options_(options), recipe_(std::move(recipe)), folder_(std::move(folder)) {}

  Result<TuneReport> run() {
    const auto began = Clock::now();
    if (auto known = remember(); !known.ok()) return known.diagnostics();
    if (auto fits = try_recipe(); !fits.ok()) return fits.diagnostics();
    bool interrupted = false;
    while (true) {
      interrupted = interrupted || (options_.stop && options_.stop());
      if (interrupted && !asked_all_) ask_all();
      if (!interrupted) {
        if (auto filled = fill(); !filled.ok()) return abandon(filled.diagnostics());
      }
      if (running_.empty()) break;
      if (auto watched = watch(); !watched.ok()) return abandon(watched.diagnostics());
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    auto report = this->report(interrupted);
    if (report.ok()) report.value().seconds = std::chrono::duration<double>(Clock::now() - began).count();
    return report;
  }

 private:
  struct Running {
    std::size_t trial;
    bool asked = false;  // to stop
  };

  fs::path record() const { return folder_.path() / "tuning.json"; }
  fs::path folder_of(const Trial& trial) const {
    char name[32];
    std::snprintf(name, sizeof name, "trial-%03lld", static_cast<long long>(trial.number));
    return folder_.path() / name;
  }
  fs::path recipe_of(const Trial& trial) const { return folder_of(trial).string() + ".toml"; }

  // ---- before the first trial

  Status remember() {
    if (!options_.resume) return save();
    const auto text = read_file(record());
    if (!text) return text.diagnostics();
    try {
      const json state = json::parse(text.value());
      if (state.at("plan") != plan_.text) {
        return problem("resume-differs", "this search was begun with another file than " + plan_.file.string(),
                       folder_.path().string(), "resume it with the file as it was, or start a new search");
      }
      for (const json& trial : state.at("trials")) trials_.push_back(trial_of(trial));
    } catch (const json::exception&) {
      return problem("tuning-malformed", "the record of this search cannot be read", record().string());
    }
    for (std::size_t t = 0; t < trials_.size(); ++t)
      if (trials_[t].state == Trial::State::running) waiting_.push_back(t);
    return Done{};
  }

  Status save() const {
    json trials = json::array();
    for (const Trial& trial : trials_) trials.push_back(to_json(trial));
    return write_file_atomically(record(), json{{"plan", plan_.text}, {"trials", std::move(trials)}}.dump(1) + "\n");
  }

  // The recipe with a trial's values in it.
  Result<std::string> recipe_text(const std::vector<std::pair<std::string, std::string>>& values) const {
    settings::TomlDocument document({plan_.file.string() + " (its recipe)", recipe_.text});
    settings::OverrideRules rules;
    rules.sections = {"data", "encoding", "neurons", "layer", "readout", "training"};
    std::vector<std::string> texts;
    for (const auto* list : {&plan_.fixed, &values})
      for (const auto& [key, value] : *list) texts.push_back(key + "=" + value);
    if (document.ok()) settings::apply_settings(document, texts, rules);
    if (!document.ok()) return document.errors();
    std::ostringstream out;
    out << document.root() << "\n";
    return out.str();
  }

  // The corners of the space are recipes too; said before a process is started.
  Status try_recipe() const {
    for (const double corner : {0.0, 0.999999}) {
      const auto text = recipe_text(values_at(std::vector<double>(plan_.space.size(), corner)));
      if (!text) return text.diagnostics();
      const auto recipe =
          parse_recipe({plan_.file.string() + " (its recipe)", text.value()}, recipe_.file.parent_path());
      if (!recipe) return recipe.diagnostics();
      if (recipe.value().validation == 0) {
        return problem("no-validation",
                       "the recipe sets no validation samples aside, and the test set must not choose among trials",
                       plan_.file.string(), "add \"data.validation\" = 5000 to [set]");
      }
    }
    return Done{};
  }

  std::vector<std::pair<std::string, std::string>> values_at(const std::vector<double>& place) const {
    std::vector<std::pair<std::string, std::string>> values;
    for (std::size_t d = 0; d < place.size(); ++d)
      values.emplace_back(plan_.space[d].key, plan_.space[d].value(place[d]));
    return values;
  }

  // ---- processes

  Status fill() {
    while (static_cast<int64_t>(running_.size()) < plan_.parallel) {
      std::size_t next = trials_.size();
      if (!waiting_.empty()) {
        next = waiting_.front();
        waiting_.erase(waiting_.begin());
      } else if (static_cast<int64_t>(trials_.size()) < plan_.trials) {
        Trial trial;
        trial.number = static_cast<int64_t>(trials_.size()) + 1;
        trial.place = next_place(plan_, trials_, trial.number);
        trial.values = values_at(trial.place);
        trials_.push_back(std::move(trial));
      } else {
        return Done{};
      }
      if (auto begun = begin(next); !begun.ok()) return begun;
      if (auto saved = save(); !saved.ok()) return saved;
    }
    return Done{};
  }

  Status begin(std::size_t index) {
    Trial& trial = trials_[index];
    const auto text = recipe_text(trial.values);
    if (!text) return text.diagnostics();
    if (auto written = write_file_atomically(recipe_of(trial), text.value()); !written.ok()) return written;
    const int64_t cores = std::max(1U, std::thread::hardware_concurrency());
    const int64_t threads = options_.threads > 0 ? options_.threads : std::max<int64_t>(1, cores / plan_.parallel);
    std::vector<std::string> command{options_.program.string(), "train",     recipe_of(trial).string(), "--run",
                                     folder_of(trial).string(), "--threads", std::to_string(threads),   "--json"};
    if (fs::exists(folder_of(trial) / "checkpoint.bouton")) {
      command.emplace_back("--resume");
    } else {
      for (const auto& [option, number] : {std::pair{"--epochs", plan_.epochs}, std::pair{"--limit", plan_.limit}})
        if (number > 0) command.insert(command.end(), {option, std::to_string(number)});
    }
    if (options_.data) command.insert(command.end(), {"--data", *options_.data});
    const fs::path base = folder_of(trial);
    const pid_t child = start(command, base.string() + ".json", base.string() + ".log");
    if (child < 0) return problem("no-program", "the trial cannot be started", options_.program.string());
    running_[child] = {index};
    return Done{};
  }

  // What the trials have reached; who has ended, and who is to be stopped.
  Status watch() {
    bool changed = false;
    for (auto it = running_.begin(); it != running_.end();) {
      const pid_t child = it->first;
      Running& running = it->second;
      int status = 0;
      const bool ended = waitpid(child, &status, WNOHANG) == child;
      changed |= look_at(trials_[running.trial]);
      if (ended) {
        end(trials_[running.trial], running, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
        changed = true;
        it = running_.erase(it);
        continue;
      }
      if (!running.asked && !promising(trials_[running.trial])) {
        ::kill(child, SIGINT);
        running.asked = true;
      }
      ++it;
    }
    return changed ? save() : Status(Done{});
  }

  // Reads the metrics a trial leaves after each epoch. Whether there are new ones.
  bool look_at(Trial& trial) const {
    const auto text = read_file(folder_of(trial) / "metrics.json");
    if (!text) return false;
    const json metrics = json::parse(text.value(), nullptr, false);
    if (!metrics.is_object() || !metrics.contains("epochs")) return false;
    std::vector<double> validation;
    for (const json& epoch : metrics["epochs"]) {
      validation.push_back(epoch.value("validation_accuracy", 0.0));
      if (epoch.value("epoch", int64_t{0}) == metrics.value("best_epoch", int64_t{-1}))
        trial.test = epoch.value("test_accuracy", 0.0);
    }
    const bool more = validation.size() > trial.validation.size();
    trial.validation = std::move(validation);
    return more;
  }

  bool promising(const Trial& trial) const {
    for (const int64_t rung : rungs(plan_))
      if (static_cast<int64_t>(trial.validation.size()) >= rung && !goes_on(plan_, trials_, trial, rung)) return false;
    return true;
  }

  void end(Trial& trial, const Running& running, int exit_code) {
    // A trial asked to stop while it was leaving after its last epoch dies of the request.
    const bool died_asked = exit_code < 0 && running.asked;
    const bool whole = static_cast<int64_t>(trial.validation.size()) == plan_.epochs;
    if (exit_code == 0 || (died_asked && whole)) {
      trial.state = Trial::State::finished;
    } else if ((exit_code == 130 || died_asked) && running.asked && !asked_all_) {
      trial.state = Trial::State::stopped;
    } else if (exit_code == 130 || (asked_all_ && exit_code < 0)) {
      return;  // interrupted with us: it goes on when the search is resumed
    } else {
      trial.state = Trial::State::failed;
      const auto log = read_file(folder_of(trial).string() + ".log");
      trial.problem = log.ok() ? log.value().substr(0, log.value().find('\n')) : "";
    }
    if (options_.on_trial) options_.on_trial(trial);
  }

  void ask_all() {
    for (auto& [child, running] : running_) ::kill(child, SIGINT);
    asked_all_ = true;
  }

  // The disk is full, say: no process is left behind.
  std::vector<Diagnostic> abandon(std::vector<Diagnostic> reason) {
    ask_all();
    for (const auto& [child, running] : running_) ::waitpid(child, nullptr, 0);
    return reason;
  }

  // ---- after the last

  Result<TuneReport> report(bool interrupted) const {
    TuneReport report;
    report.trials = trials_;
    report.interrupted = interrupted;
    report.run_folder = folder_.path();
    report.table = folder_.path() / "trials.csv";
    report.picture = folder_.path() / "tuning.png";
    const Trial* best = nullptr;
    for (const Trial& trial : trials_)
      if (trial.state == Trial::State::finished && (!best || trial.best() > best->best())) best = &trial;
    const bool all_failed = !trials_.empty() && std::all_of(trials_.begin(), trials_.end(), [](const Trial& trial) {
      return trial.state == Trial::State::failed;
    });
    if (all_failed) {
      return problem("trial-failed", "every trial failed; the first said: " + trials_.front().problem,
                     folder_of(trials_.front()).string() + ".log");
    }
    if (best) {
      report.best = best->number;
      report.recipe = recipe_of(*best);
      report.model = folder_of(*best) / "model.bouton";
    }
    if (auto written = write_file_atomically(report.table, table()); !written.ok()) return written.diagnostics();
    if (auto written = write_file_atomically(report.picture, data::png_bytes(picture())); !written.ok())
      return written.diagnostics();
    return report;
  }

  std::string table() const {
    std::ostringstream csv;
    csv << "trial,state,epochs,validation_accuracy,test_accuracy";
    for (const SearchDimension& dimension : plan_.space) csv << ",\"" << dimension.key << '"';
    csv << "\n";
    for (const Trial& trial : trials_) {
      csv << trial.number << "," << state_names[static_cast<int>(trial.state)] << "," << trial.validation.size() << ","
          << trial.best() << "," << trial.test;
      for (const auto& [key, value] : trial.values) {
        std::string quoted;
        for (const char c : value) quoted += c == '"' ? "\"\"" : std::string(1, c);
        csv << ",\"" << quoted << '"';
      }
      csv << "\n";
    }
    return csv.str();
  }

  // A dot a trial, those that went all the way apart from those that were stopped, and the best so far.
  data::Picture picture() const {
    evaluate::Series all{"FINISHED", {}}, early{"STOPPED EARLY", {}}, best{"BEST SO FAR", {}};
    double so_far = -1;
    for (const Trial& trial : trials_) {
      if (trial.validation.empty()) continue;
      const auto x = static_cast<double>(trial.number);
      const bool finished = trial.state == Trial::State::finished;
      auto& points = (finished ? all : early).points;
      points.emplace_back(x, trial.best());
      points.emplace_back(x, std::numeric_limits<double>::quiet_NaN());  // dots, not a line
      if (finished) so_far = std::max(so_far, trial.best());
      if (so_far >= 0) best.points.emplace_back(x, so_far);
    }
    return evaluate::line_chart({all, early, best}, "VALIDATION ACCURACY", "TRIAL");
  }

  const TuningPlan& plan_;
  const TuneOptions& options_;
  Recipe recipe_;
  RunFolder folder_;
  std::vector<Trial> trials_;
  std::vector<std::size_t> waiting_;  // trials of an interrupted search, to be resumed
  std::map<pid_t, Running> running_;
  bool asked_all_ = false;
};

// A recipe's name, or a file beside the plan.
Result<Recipe> recipe_of(const TuningPlan& plan) {
  const fs::path beside = plan.file.parent_path() / plan.recipe;
  const bool is_file = plan.recipe.ends_with(".toml") && fs::exists(beside);
  return load_recipe(is_file ? (beside.is_absolute() ? beside : fs::absolute(beside)).string() : plan.recipe);
}

}  // namespace

Result<TuneReport> tune(const TuningPlan& plan, const TuneOptions& options) {
  auto recipe = recipe_of(plan);
  if (!recipe) return recipe.diagnostics();
  auto folder = options.resume ? RunFolder::reopen(options.run_folder, "tuning.json")
                               : RunFolder::create(options.run_folder, plan.name, {"tuning.json"});
  if (!folder) return folder.diagnostics();
  return Tuner(plan, options, std::move(recipe).value(), std::move(folder).value()).run();
}

}  // namespace bouton::recipes
