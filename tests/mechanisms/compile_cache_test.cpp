// A user's mechanism: compiled once, found again, rebuilt when damaged, safe when two processes compile at once.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bouton/base/files.hpp"
#include "mechanisms/kernel_run.hpp"

namespace bouton {
namespace {

namespace fs = std::filesystem;

class CompileCache : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("bouton-cache-test-" + std::to_string(getpid()) + "-" +
                                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
    setenv("BOUTON_CACHE", folder_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("CXX");
    unsetenv("BOUTON_CACHE");
    fs::remove_all(folder_);
  }
  [[nodiscard]] std::vector<fs::path> files() const {
    std::vector<fs::path> list;
    if (fs::exists(folder_ / "kernels"))
      for (const auto& entry : fs::directory_iterator(folder_ / "kernels")) list.push_back(entry.path());
    return list;
  }
  static MechanismPtr mechanism(double tau) {
    return load_mechanism_text({"<test>", "neuron probe\n  parameter tau = " + std::to_string(tau) +
                                              " ms\n  input I : 1\n  dv/dt = (I - v)/tau : 1\n  output v : 1\n"})
        .value();
  }
  static double answer(const bouton_kernel* kernel, const MechanismPtr& of) {
    auto e = testing::make_experiment<double>(*of, kernel);
    e.neurons = 1, e.steps = 1, e.dt = 1e-3;
    e.inputs[0] = {1};
    e.forward();
    return e.output[0];
  }
  // In a process of its own: what is loaded stays loaded.
  template <typename Body>
  static int in_process(Body&& body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  fs::path folder_;
};

TEST_F(CompileCache, CompilesOnceAndFindsItAgain) {
  const MechanismPtr m = mechanism(11);
  const bouton_kernel* kernel = m->kernel(Scalar::float64).value();
  EXPECT_STREQ(kernel->name, "probe");
  EXPECT_NEAR(answer(kernel, m), 1 - std::exp(-1.0 / 11), 1e-15);
  ASSERT_EQ(files().size(), 1U);
  const auto written = fs::last_write_time(files()[0]);
  EXPECT_EQ(mechanism(11)->kernel(Scalar::float64).value(), kernel);
  EXPECT_EQ(in_process([] { return mechanism(11)->kernel(Scalar::float64) ? 0 : 1; }), 0);
  EXPECT_EQ(fs::last_write_time(files()[0]), written);
}

TEST_F(CompileCache, RebuildsADamagedEntry) {
  EXPECT_EQ(in_process([] { return mechanism(12)->kernel(Scalar::float64) ? 0 : 1; }), 0);
  ASSERT_EQ(files().size(), 1U);
  const fs::path library = files()[0];
  const auto size = fs::file_size(library);
  fs::resize_file(library, size / 2);
  EXPECT_EQ(in_process([] { return mechanism(12)->kernel(Scalar::float64) ? 0 : 1; }), 0);
  EXPECT_EQ(fs::file_size(library), size);
  { std::fstream(library, std::ios::in | std::ios::out | std::ios::binary).seekp(long(size) / 2).put('x').put('y'); }
  EXPECT_EQ(in_process([] {
              const MechanismPtr m = mechanism(12);
              return std::abs(answer(m->kernel(Scalar::float64).value(), m) - (1 - std::exp(-1.0 / 12))) < 1e-15 ? 0
                                                                                                                 : 1;
            }),
            0);
}

TEST_F(CompileCache, TwoProcessesAtOnceBothSucceed) {
  pid_t children[2];
  for (pid_t& child : children) {
    child = fork();
    if (child == 0) {
      const MechanismPtr m = mechanism(13);
      const auto kernel = m->kernel(Scalar::float64);
      _exit(kernel && std::abs(answer(kernel.value(), m) - (1 - std::exp(-1.0 / 13))) < 1e-15 ? 0 : 1);
    }
  }
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(files().size(), 1U);  // and nothing half-made beside it
}

TEST_F(CompileCache, SaysWhichCompilerIsMissing) {
  setenv("CXX", "no-such-compiler", 1);
  const auto result = mechanism(14)->kernel(Scalar::float64);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.diagnostics()[0].message, "the compiler 'no-such-compiler' named by CXX was not found");
  EXPECT_EQ(result.diagnostics()[0].code, "no-compiler");
}

TEST_F(CompileCache, KeepsTheCompilersOutputWhenItRefuses) {
  const fs::path compiler = folder_ / "refusing compiler";
  { std::ofstream(compiler) << "#!/bin/sh\necho no such instruction\nexit 3\n"; }
  fs::permissions(compiler, fs::perms::owner_all);
  setenv("CXX", compiler.c_str(), 1);
  const auto result = mechanism(15)->kernel(Scalar::float64);
  ASSERT_FALSE(result);
  const Diagnostic& d = result.diagnostics()[0];
  EXPECT_EQ(d.code, "kernel-compile-failed");
  EXPECT_EQ(d.message, "the compiler " + compiler.string() + " did not accept the kernel of 'probe' (exit status 3)");
  const std::string log = d.hint.substr(17, d.hint.find(", the kernel") - 17);
  EXPECT_EQ(read_file(log).value(), "no such instruction\n");
}

TEST_F(CompileCache, ReportsAFolderThatCannotBeWritten) {
  const fs::path file = folder_ / "a-file";
  { std::ofstream(file) << "x"; }
  setenv("BOUTON_CACHE", file.c_str(), 1);
  EXPECT_FALSE(mechanism(16)->kernel(Scalar::float64));
}

TEST(BuiltIn, KernelsNeedNoCompiler) {
  setenv("CXX", "no-such-compiler", 1);
  EXPECT_TRUE(load_mechanism("lif").value()->kernel(Scalar::float32));
  unsetenv("CXX");
}

TEST(BuiltIn, UnknownNamesGetTheNearestOne) {
  const auto result = load_mechanism("lff");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.diagnostics()[0].message, "there is no mechanism 'lff' in the catalogue");
  EXPECT_EQ(result.diagnostics()[0].hint, "did you mean 'lif'?");
}

}  // namespace
}  // namespace bouton
