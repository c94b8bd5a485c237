// A run that is stopped or killed goes on as if nothing had happened: the same bits in the end.

#include <csignal>
#include <cstdlib>
#include <functional>
#include <tuple>

#include "bouton/base/files.hpp"
#include "recipes/toy.hpp"

namespace bouton::recipes {
namespace {

using namespace toy;

// Everything with a memory is in it: momentum, running statistics, dropout and noise draws, augmentation, a moving
// average.
Text demanding() {
  Text text;
  text.epochs = "epochs = 3\n";
  text.data = "augment = { shift = 1, noise = 0.1 }\n";
  text.encoding = "kind = \"rate\"\n";
  text.hidden =
      "[[layer]]\nkind = \"dense\"\nsize = 16\n[[layer]]\nkind = \"norm\"\n[[layer]]\nkind = \"dropout\"\nprobability "
      "= 0.2\n"
      "[[layer]]\nkind = \"neurons\"\nneurons = \"cell\"\nname = \"hidden\"\n";
  text.training =
      "optimiser = \"adamw\"\nweight_decay = 0.01\nschedule = \"one_cycle\"\nlabel_smoothing = 0.1\naverage = 0.95\n";
  return text;
}

class Resume : public ::testing::Test {
 protected:
  Resume() { write_set(folder_ / "set", 300, 60); }
  Recipe recipe() const { return toy::recipe(folder_ / "set", demanding()); }
  TrainOptions options(const std::string& run) const { return toy::options(folder_ / run); }

  void expect_same(const TrainReport& straight, const TrainReport& resumed) {
    EXPECT_EQ(without_time(straight.epochs), without_time(resumed.epochs));
    EXPECT_EQ(straight.best_epoch, resumed.best_epoch);
    EXPECT_EQ(straight.test_accuracy, resumed.test_accuracy);
    EXPECT_EQ(weights(straight.model), weights(resumed.model));
  }

  Folder folder_{"resume"};
};

// Trains in this process until `batch` of `epoch` is done, and then kills it without warning.
[[noreturn]] void train_and_die(const Recipe& recipe, TrainOptions options, int64_t epoch, int64_t batch,
                                int64_t checkpoint_seconds) {
  options.checkpoint_seconds = checkpoint_seconds;
  Progress progress;
  progress.on_batch = [=](int64_t e, int64_t, int64_t b, int64_t, double) {
    if (e == epoch && b == batch) std::raise(SIGKILL);
  };
  (void)train(recipe, options, progress);
  std::exit(0);
}

class ResumeAfterKill : public Resume, public ::testing::WithParamInterface<std::tuple<int64_t, int64_t, int64_t>> {};

TEST_P(ResumeAfterKill, EndsWithTheSameBits) {
  // Thread pools do not survive a fork: the dying process starts afresh.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto [epoch, batch, checkpoint_seconds] = GetParam();
  // The dying process makes a folder of its own number; this one is shared.
  const fs::path shared =
      fs::temp_directory_path() / ("bouton-killed-" + std::to_string(epoch) + "-" + std::to_string(batch));
  const auto begin = [&] {
    fs::remove_all(shared);
    write_set(shared / "set", 300, 60);
    train_and_die(toy::recipe(shared / "set", demanding()), toy::options(shared / "run"), epoch, batch,
                  checkpoint_seconds);
  };
  EXPECT_EXIT(begin(), ::testing::KilledBySignal(SIGKILL), "");
  const Recipe r = toy::recipe(shared / "set", demanding());
  TrainOptions o = toy::options(shared / "run");
  o.resume = true;
  const TrainReport resumed = trained(r, o);
  const TrainReport straight = trained(r, toy::options(shared / "straight"));
  expect_same(straight, resumed);
  fs::remove_all(shared);
}

INSTANTIATE_TEST_SUITE_P(Anywhere, ResumeAfterKill,
                         ::testing::Values(std::tuple{1, 1, 0}, std::tuple{1, 5, 3600}, std::tuple{2, 7, 0},
                                           std::tuple{3, 3, 3600}),
                         [](const auto& info) {
                           return "epoch" + std::to_string(std::get<0>(info.param)) + "_batch" +
                                  std::to_string(std::get<1>(info.param)) +
                                  (std::get<2>(info.param) == 0 ? "_checkpoint_each_batch" : "_checkpoint_each_epoch");
                         });

TEST_F(Resume, AfterAStopBetweenBatchesEndsWithTheSameBits) {
  int64_t asked = 0;
  TrainOptions o = options("stopped");
  o.stop = [&] { return ++asked > 9; };
  const TrainReport stopped = trained(recipe(), o);
  EXPECT_TRUE(stopped.interrupted);
  TrainOptions again = options("stopped");
  again.resume = true;
  // Stopped a second time, in another epoch.
  asked = 0;
  again.stop = [&] { return ++asked > 14; };
  EXPECT_TRUE(trained(recipe(), again).interrupted);
  again.stop = {};
  const TrainReport resumed = trained(recipe(), again);
  EXPECT_FALSE(resumed.interrupted);
  expect_same(trained(recipe(), options("straight")), resumed);
}

std::string confusion_table(const fs::path& page) {
  const std::string html = read_file(page, 1 << 24).value();
  const std::size_t begin = html.find("<table class=\"confusion\">");
  if (begin == std::string::npos) return "none";
  return html.substr(begin, html.find("</table>", begin) - begin);
}

TEST_F(Resume, TheReportShowsTheConfusionOfABestEpochBeforeTheStop) {
  Text text;
  text.epochs = "epochs = 8\n";
  const Recipe r = toy::recipe(folder_ / "set", text);
  const TrainReport straight = trained(r, options("straight"));
  ASSERT_LT(straight.best_epoch, 8) << "the run must go on after its best epoch";
  bool best_is_done = false;
  TrainOptions o = options("stopped");
  o.stop = [&] { return best_is_done; };
  Progress progress;
  progress.on_epoch = [&](const EpochReport& e) { best_is_done = e.epoch == straight.best_epoch; };
  EXPECT_TRUE(trained(r, o, progress).interrupted);
  TrainOptions again = options("stopped");
  again.resume = true;
  const TrainReport resumed = trained(r, again);
  expect_same(straight, resumed);
  const std::string shown = confusion_table(resumed.report);
  EXPECT_NE(shown, "none");
  EXPECT_EQ(shown, confusion_table(straight.report));
}

TEST_F(Resume, OfAFinishedRunGivesItsReportAgain) {
  const TrainReport first = trained(recipe(), options("run"));
  TrainOptions o = options("run");
  o.resume = true;
  expect_same(first, trained(recipe(), o));
}

TEST_F(Resume, OptionsOfTheFirstStartAreKept) {
  TrainOptions o = options("run");
  o.seed = 77;
  o.epochs = 2;
  o.limit = 100;
  TrainOptions straight = o;
  straight.run_folder = folder_ / "straight";
  int64_t asked = 0;
  o.stop = [&] { return ++asked > 5; };
  trained(recipe(), o);
  TrainOptions again = options("run");
  again.resume = true;
  expect_same(trained(recipe(), straight), trained(recipe(), again));
}

TEST_F(Resume, WithOtherOptionsIsRefused) {
  trained(recipe(), options("run"));
  const auto refused = [&](const std::function<void(TrainOptions&)>& change) {
    TrainOptions o = options("run");
    o.resume = true;
    change(o);
    const auto report = train(recipe(), o, {});
    return !report.ok() && report.diagnostics().front().code == "resume-differs";
  };
  EXPECT_TRUE(refused([](TrainOptions& o) { o.seed = 5; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.epochs = 9; }));
  EXPECT_TRUE(refused([](TrainOptions& o) { o.limit = 9; }));
  write_set(folder_ / "other", 301, 60);
  EXPECT_TRUE(refused([&](TrainOptions& o) { o.data = (folder_ / "other").string(); }));
}

TEST_F(Resume, WithAnotherRecipeIsRefused) {
  trained(recipe(), options("run"));
  Text text = demanding();
  text.rate = "learning_rate = 3e-2\n";
  TrainOptions o = options("run");
  o.resume = true;
  const auto report = train(toy::recipe(folder_ / "set", text), o, {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.diagnostics().front().code, "resume-differs");
}

TEST_F(Resume, WithoutACheckpointIsRefused) {
  TrainOptions o = options("nothing");
  o.resume = true;
  const auto report = train(recipe(), o, {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.diagnostics().front().code, "no-checkpoint");
}

TEST_F(Resume, FromATruncatedCheckpointIsRefused) {
  trained(recipe(), options("run"));
  const fs::path checkpoint = folder_ / "run/checkpoint.bouton";
  fs::resize_file(checkpoint, fs::file_size(checkpoint) / 2);
  TrainOptions o = options("run");
  o.resume = true;
  const auto report = train(recipe(), o, {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.diagnostics().front().code, "archive-truncated") << told(report.diagnostics());
}

}  // namespace
}  // namespace bouton::recipes
