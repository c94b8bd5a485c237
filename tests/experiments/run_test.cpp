// Simulations from their file to their results.

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bouton/base/files.hpp"
#include "bouton/exchange/sonata.hpp"
#include "bouton/experiments/simulation.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::experiments {
namespace {

namespace fs = std::filesystem;

// A small network of everything that moves: noise, plasticity, recorders.
const char* const lively = R"toml(
name = "lively"
[simulation]
duration = "300 ms"
settle = "50 ms"
[constants]
J = "0.8 mV"
[populations.E]
neuron = "lif_delta"
size = 80
initial = { v = "uniform(0 mV, 20 mV)" }
[populations.I]
neuron = "lif_delta"
size = 20
[[projections]]
source = "E"
target = "I"
rule = "fixed_indegree"
indegree = 10
weight = "J"
delay = "1.5 ms"
[[projections]]
source = "I"
target = ["E", "I"]
rule = "fixed_indegree"
indegree = 5
weight = "-4*J"
[[projections]]
source = "E"
target = "E"
rule = "pairwise_bernoulli"
probability = 0.1
weight = "uniform(0, 0.1)"
synapse = "stdp_additive"
parameters = { w_max = 0.1 }
[[drives]]
target = ["E", "I"]
poisson = { sources = 100, rate = "20 Hz", weight = "J" }
[record]
states = [{ population = "E", state = "v", interval = "1 ms", neurons = 3 }]
weights = [{ projection = "E->E", interval = "100 ms" }]
format = ["hdf5", "csv"]
)toml";

Simulation read(const std::string& text, const Overrides& overrides = {}) {
  return parse_simulation({"test.toml", text}, ".", overrides).value();
}

class Runs : public testing::Test {
 protected:
  SimulationReport run(const Simulation& simulation, SimulationOptions options) {
    options.threads = options.threads == 0 ? 1 : options.threads;
    auto report = run_simulation(simulation, options, {});
    EXPECT_TRUE(report.ok()) << (report.ok() ? "" : report.diagnostics().front().to_string());
    return report.ok() ? report.value() : SimulationReport{};
  }
  SimulationOptions in(const std::string& name) const { return {.run_folder = folder_ / name}; }
  std::string content(const fs::path& path) const { return read_file(folder_ / path).value(); }

  TemporaryFolder folder_;
};

TEST_F(Runs, LeaveTheirFilesAndTheirSummary) {
  const SimulationReport report = run(read(lively), in("run"));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_ / "run")) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{".lock", "manifest.json", "raster.png", "rates.png", "report_E_v.h5",
                                             "spikes.csv", "spikes.h5", "states.csv", "summary.json", "weights.csv",
                                             "weights.h5", "weights.png"}));
  EXPECT_EQ(report.files.size(), 11u);
  EXPECT_FALSE(report.interrupted);
  EXPECT_EQ(report.neurons, 100);
  EXPECT_NEAR(report.synapses, 80 * 5 + 20 * 5 + 20 * 10 + 640, 120);
  EXPECT_GT(report.bytes_per_synapse, 1);
  EXPECT_GT(report.peak_memory_bytes, 1e6);
  EXPECT_GT(report.real_time_factor, 0);
  EXPECT_DOUBLE_EQ(report.duration, 0.3);
  const auto summary = nlohmann::json::parse(content("run/summary.json"));
  EXPECT_EQ(summary["populations"]["E"]["size"], 80);
  EXPECT_EQ(summary["spike_hash"], report.spike_hash);
  const auto manifest = nlohmann::json::parse(content("run/manifest.json"));
  EXPECT_EQ(manifest["text"], lively);
  EXPECT_EQ(manifest["seed"], 1);
}

TEST_F(Runs, CountTheRecordedTimeAlone) {
  const SimulationReport report = run(read(lively), in("run"));
  const auto spikes = exchange::read_sonata_spikes(folder_ / "run/spikes.h5", "E").value();
  const PopulationReport& e = report.populations.front();
  EXPECT_EQ(e.name, "E");
  EXPECT_EQ(e.activity.spikes, static_cast<std::int64_t>(spikes.times.size()));
  EXPECT_NEAR(e.activity.rate, static_cast<double>(spikes.times.size()) / (80 * 0.3), 1e-9);
  EXPECT_GT(spikes.times.size(), 100u);
  for (const double time : spikes.times) {
    EXPECT_GT(time, 0.05);
    EXPECT_LE(time, 0.35 + 1e-9);
  }
  // The table tells the same spikes.
  std::istringstream rows(content("run/spikes.csv"));
  std::string row;
  std::getline(rows, row);
  EXPECT_EQ(row, "population,neuron,time_ms");
  std::size_t of_e = 0;
  while (std::getline(rows, row)) of_e += row.starts_with("E,") ? 1 : 0;
  EXPECT_EQ(of_e, spikes.times.size());
}

TEST_F(Runs, WeightsAreRecordedAtTheEndsAndInBetween) {
  const SimulationReport report = run(read(lively), in("run"));
  std::istringstream rows(content("run/weights.csv"));
  std::string row;
  std::vector<std::string> times;
  while (std::getline(rows, row)) {
    const std::size_t end = row.rfind(','), begin = row.rfind(',', end - 1) + 1;
    if (times.empty() || times.back() != row.substr(begin, end - begin))
      times.push_back(row.substr(begin, end - begin));
  }
  EXPECT_EQ(times, (std::vector<std::string>{"time_ms", "50", "100", "200", "300", "350"}));
}

TEST_F(Runs, AreTheSameForAnyNumberOfThreads) {
  const Simulation simulation = read(lively);
  const SimulationReport one = run(simulation, in("one"));
  SimulationOptions options = in("three");
  options.threads = 3;
  const SimulationReport three = run(simulation, options);
  EXPECT_EQ(three.threads, 3);
  EXPECT_EQ(one.spike_hash, three.spike_hash);
  for (const char* file : {"spikes.csv", "states.csv", "weights.csv", "raster.png"})
    EXPECT_EQ(content(fs::path("one") / file), content(fs::path("three") / file)) << file;
  EXPECT_NE(run(read(lively, {.settings = {"simulation.seed=2"}}), in("other")).spike_hash, one.spike_hash);
}

TEST_F(Runs, GoOnAfterAnInterruptionAsIfNothingHadHappened) {
  const Simulation simulation = read(lively);
  const SimulationReport whole = run(simulation, in("whole"));
  // Stopped again and again, while settling too.
  SimulationOptions options = in("parts");
  int parts = 0;
  for (bool interrupted = true; interrupted; ++parts) {
    ASSERT_LT(parts, 1000);
    int asked = 0;
    options.stop = [&] { return ++asked > 20; };
    const SimulationReport part = run(simulation, options);
    interrupted = part.interrupted;
    if (interrupted) EXPECT_EQ(part.saved, folder_ / "parts/snapshot.bouton");
    options.resume = true;
    options.threads = 1 + parts % 3;
  }
  EXPECT_GT(parts, 3);
  for (const char* file : {"spikes.csv", "states.csv", "weights.csv", "raster.png"})
    EXPECT_EQ(content(fs::path("whole") / file), content(fs::path("parts") / file)) << file;
  const auto a = nlohmann::json::parse(content("whole/summary.json")),
             b = nlohmann::json::parse(content("parts/summary.json"));
  EXPECT_EQ(a["populations"], b["populations"]);
  EXPECT_EQ(a["spike_hash"], b["spike_hash"]);
  EXPECT_FALSE(fs::exists(folder_ / "parts/snapshot.bouton"));
}

TEST_F(Runs, WhatWasWrittenWithoutItsSnapshotIsNotTaken) {
  const Simulation simulation = read(lively);
  run(simulation, in("whole"));
  SimulationOptions options = in("parts");
  int asked = 0;
  options.stop = [&] { return ++asked > 60; };
  ASSERT_TRUE(run(simulation, options).interrupted);
  const std::string snapshot = content("parts/snapshot.bouton");
  asked = 40;
  options.resume = true;
  ASSERT_TRUE(run(simulation, options).interrupted);
  // As if the power had failed between the recording and its snapshot.
  ASSERT_TRUE(write_file_atomically(folder_ / "parts/snapshot.bouton", snapshot).ok());
  options.stop = {};
  run(simulation, options);
  EXPECT_EQ(content("whole/spikes.csv"), content("parts/spikes.csv"));
  EXPECT_EQ(content("whole/states.csv"), content("parts/states.csv"));
}

TEST_F(Runs, ALostPartOfTheRecordingIsNoticed) {
  const Simulation simulation = read(lively);
  SimulationOptions options = in("parts");
  int asked = 0;
  options.stop = [&] { return ++asked > 100; };
  ASSERT_TRUE(run(simulation, options).interrupted);
  for (const auto& entry : fs::directory_iterator(folder_ / "parts")) {
    if (entry.path().filename().string().starts_with("stretch-0")) fs::remove(entry.path());
  }
  options.stop = {};
  options.resume = true;
  const auto report = run_simulation(simulation, options, {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.diagnostics().front().code, "no-checkpoint");
}

TEST_F(Runs, OfAnotherNetworkAreNotResumed) {
  SimulationOptions options = in("run");
  int asked = 0;
  options.stop = [&] { return ++asked > 20; };
  ASSERT_TRUE(run(read(lively), options).interrupted);
  options.stop = {};
  options.resume = true;
  options.threads = 1;
  const auto other = run_simulation(read(lively, {.settings = {"J=0.9 mV"}}), options, {});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.diagnostics().front().code, "snapshot-foreign");
}

TEST_F(Runs, AreNotWrittenOverOneAnother) {
  const Simulation simulation = read(lively, {.settings = {"simulation.duration=10 ms"}});
  run(simulation, in("run"));
  const auto again = run_simulation(simulation, in("run"), {});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.diagnostics().front().code, "run-exists");
}

TEST_F(Runs, WithoutOutputLeaveNothing) {
  EnvironmentVariable none("BOUTON_COMMAND", "");
  SimulationOptions options;
  options.output = false;
  const SimulationReport report = run(read(lively), options);
  EXPECT_TRUE(report.files.empty());
  EXPECT_TRUE(report.run_folder.empty());
  EXPECT_EQ(report.spike_hash, run(read(lively), in("run")).spike_hash);
}

TEST_F(Runs, MayBeginWhereAnotherEnded) {
  SimulationOptions first{.output = false, .snapshot = folder_ / "state.bouton"};
  run(read(lively, {.settings = {"simulation.duration=100 ms"}}), first);  // ends at 150 ms
  SimulationOptions second = in("second");
  second.from = first.snapshot;
  const SimulationReport report = run(read(lively, {.settings = {"simulation.duration=200 ms"}}), second);
  EXPECT_DOUBLE_EQ(report.duration, 0.2);  // no settling
  const SimulationReport whole = run(read(lively), in("whole"));
  EXPECT_EQ(report.spike_hash, whole.spike_hash);  // of all spikes from rest on
}

TEST_F(Runs, CheckpointsAreMadeOnTheWay) {
  const Simulation simulation = read(lively);
  SimulationOptions options = in("run");
  options.checkpoint_seconds = 0;  // after every look at the clock
  bool seen = false;
  SimulationProgress progress;
  progress.on_run = [&](double, double total) {
    EXPECT_DOUBLE_EQ(total, 0.35);
    seen = seen || fs::exists(folder_ / "run/snapshot.bouton");
  };
  options.threads = 1;
  ASSERT_TRUE(run_simulation(simulation, options, progress).ok());
  EXPECT_TRUE(seen);
  EXPECT_EQ(content("run/spikes.csv"), (run(simulation, in("whole")), content("whole/spikes.csv")));
}

TEST_F(Runs, ANetworkThatWouldNotFitIsRefusedWithItsSize) {
  SimulationOptions options = in("run");
  options.memory_limit = 1000;
  const auto report = run_simulation(read(lively), options, {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.diagnostics().front().code, "not-enough-memory");
  EXPECT_NE(report.diagnostics().front().message.find("would take"), std::string::npos);
}

TEST_F(Runs, AFolderThatCannotBeMadeIsToldBeforeAnythingIsBuilt) {
  std::ofstream(folder_ / "file") << "in the way";
  bool built = false;
  SimulationProgress progress;
  progress.on_construction = [&](double) { built = true; };
  const auto report = run_simulation(read(lively), in("file/run"), progress);
  ASSERT_FALSE(report.ok());
  EXPECT_FALSE(built);
}

}  // namespace
}  // namespace bouton::experiments
