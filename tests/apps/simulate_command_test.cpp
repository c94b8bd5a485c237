// `bouton simulate` as its users start it: on threads, over processes, killed and resumed, always the same spikes. The
// network is Brunel's with spike-timing dependent plasticity, the benchmark's at a tenth of its size.

#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/command.hpp"
#include "support/ordinary_user.hpp"
#include "support/temporary_folder.hpp"

namespace bouton {
namespace {

using nlohmann::json;

class SimulateCommand : public testing::Test {
 protected:
  static std::vector<std::string> words(const std::string& duration, const std::vector<std::string>& more) {
    std::vector<std::string> words{
        "simulate", BOUTON_SOURCE_DIR "/bench/simulation/brunel.toml", "--variant", "stdp", "--duration", duration,
        "--json"};
    for (const char* setting : {"populations.E.size=800", "populations.I.size=200", "projections[1].indegree=80",
                                "projections[2].indegree=80", "projections[3].indegree=20", "constants.J=\"1 mV\"",
                                "projections.E->E.weight=0.05", "projections.E->E.parameters.w_max=0.1",
                                "drives[1].poisson.sources=80", "drives[1].poisson.rate=\"eta*theta/(J*80*tau)\""}) {
      words.insert(words.end(), {"--set", setting});
    }
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  // Waits for the first saved state of the run `parts`.
  void await_snapshot() const {
    for (int i = 0; i < 4000 && !fs::exists(folder_ / "parts/snapshot.bouton"); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  Output run(const std::string& duration, const std::vector<std::string>& more) {
    return finish(folder_.path(), start(folder_.path(), words(duration, more)));
  }

  static std::string hash_of(const Output& output) {
    EXPECT_EQ(output.code, 0) << output.err;
    return output.code == 0 ? json::parse(output.out).at("spike_hash").get<std::string>() : "";
  }

  std::string over_processes(const std::string& launcher, int count) {
    std::vector<std::string> all{launcher, "-n", std::to_string(count), "--oversubscribe", BOUTON_PROGRAM};
    const auto more = words("200 ms", {"--no-output", "--threads", "1"});
    all.insert(all.end(), more.begin(), more.end());
    return hash_of(finish(folder_.path(), start_program(folder_.path(), all)));
  }

  TemporaryFolder folder_;
  EnvironmentVariable no_launcher_{"BOUTON_COMMAND", ""};
};

TEST_F(SimulateCommand, SpikesAreTheSameOnAnyNumberOfThreads) {
  const std::string one = hash_of(run("200 ms", {"--no-output", "--threads", "1"}));
  EXPECT_FALSE(one.empty());
  EXPECT_EQ(hash_of(run("200 ms", {"--no-output", "--threads", "2"})), one);
  EXPECT_EQ(hash_of(run("200 ms", {"--no-output", "--threads", "3"})), one);
  EXPECT_NE(hash_of(run("200 ms", {"--no-output", "--threads", "1", "--seed", "2"})), one);
}

TEST_F(SimulateCommand, SpikesAreTheSameOverTwoAndThreeProcesses) {
#ifndef BOUTON_MPIRUN
  GTEST_SKIP() << "this build has no MPI";
#else
  // Open MPI refuses root unless it is told, and binds processes to cores that may be fewer than they.
  const EnvironmentVariable root{"OMPI_ALLOW_RUN_AS_ROOT", "1"}, sure{"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"};
  const EnvironmentVariable unbound{"OMPI_MCA_hwloc_base_binding_policy", "none"};
  const EnvironmentVariable yielding{"OMPI_MCA_mpi_yield_when_idle", "1"};
  const Output plain =
      finish(folder_.path(), start_program(folder_.path(), {BOUTON_MPIRUN, "-n", "2", "--oversubscribe", "true"}));
  if (plain.code != 0) GTEST_SKIP() << "mpirun starts no processes here: " << plain.err;
  const std::string one = hash_of(run("200 ms", {"--no-output", "--threads", "1"}));
  EXPECT_EQ(over_processes(BOUTON_MPIRUN, 2), one);
  EXPECT_EQ(over_processes(BOUTON_MPIRUN, 3), one);
#endif
}

TEST_F(SimulateCommand, KilledAtOnceItGoesOnWithTheSameSpikes) {
  const std::string whole = hash_of(run("1500 ms", {"--run", "whole", "--threads", "2"}));
  const pid_t child =
      start(folder_.path(), words("1500 ms", {"--run", "parts", "--threads", "2", "--checkpoint-seconds", "0"}));
  await_snapshot();
  kill(child, SIGKILL);
  ASSERT_EQ(finish(folder_.path(), child).code, 1000 + SIGKILL) << "it was over before it could be killed";
  EXPECT_EQ(hash_of(run("1500 ms", {"--run", "parts", "--resume", "--threads", "1"})), whole);
}

TEST_F(SimulateCommand, CtrlCSavesAndResumingGoesOnWithTheSameSpikes) {
  const std::string whole = hash_of(run("1500 ms", {"--run", "whole"}));
  const pid_t child = start(folder_.path(), words("1500 ms", {"--run", "parts", "--checkpoint-seconds", "0"}));
  await_snapshot();
  kill(child, SIGINT);
  const Output stopped = finish(folder_.path(), child);
  ASSERT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_TRUE(json::parse(stopped.out).at("interrupted"));
  EXPECT_EQ(hash_of(run("1500 ms", {"--run", "parts", "--resume"})), whole);
}

}  // namespace
}  // namespace bouton
