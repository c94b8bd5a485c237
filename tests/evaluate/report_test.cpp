#include "bouton/evaluate/report.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <regex>

#include "bouton/base/files.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::evaluate {
namespace {

TrainingReport sample() {
  TrainingReport report;
  report.title = "mnist <& more>";
  report.description = "A spiking convolutional network";
  report.facts = {{"seed", "1"}, {"command", "bouton train mnist"}};
  for (int e = 1; e <= 8; ++e) {
    report.epochs.push_back({.epoch = e,
                             .train_loss = 0.5 / e,
                             .train_accuracy = 1 - 0.08 / e,
                             .seconds = 12.3,
                             .learning_rate = 1e-3 * (9 - e),
                             .validation_accuracy = 1 - 0.07 / e,
                             .test_accuracy = 1 - 0.06 / e,
                             .activity = {{"hidden", 0.12 + 0.01 * e}, {"output", 0.3 / e}}});
  }
  report.best_epoch = 7;
  report.seconds = 98.4;
  report.confusion = Confusion(10, std::vector<int64_t>(10, 1));
  for (std::size_t i = 0; i < 10; ++i) report.confusion[i][i] = 970 + static_cast<int64_t>(i);
  report.layers = {{"conv1", "convolution 5 x 5", "32 x 24 x 24", 832},
                   {"hidden", "neurons lif", "32 x 24 x 24", 0},
                   {"dense", "dense", "10", 18442}};
  report.energy = energy_per_sample({{.name = "conv1",
                                      .synapses = 460800,
                                      .inputs = 784,
                                      .weights = 832,
                                      .neurons = 18432,
                                      .runs = 1,
                                      .neuron_steps = 4},
                                     {.name = "dense",
                                      .synapses = 184320,
                                      .inputs = 18432,
                                      .weights = 18442,
                                      .neurons = 10,
                                      .runs = 4,
                                      .neuron_steps = 4,
                                      .input_activity = 0.13,
                                      .output_activity = 0.2,
                                      .spiking_input = true}},
                                    4);
  report.mechanisms = {{"lif", "Leaky integrate-and-fire",
                        "neuron lif\n  dv/dt = (E - v)/tau : volt\n  spike when v > V_T:\n    v = V_r\n"}};
  report.recipe_text = "name = \"mnist\"\n[training]\nepochs = 8\n";
  return report;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Report, NamesEveryPartOfTheRun) {
  const std::string html = html_report(sample());
  for (const char* part :
       {"99.08", "7 of 8", "1 min 38 s", "Accuracy", "Loss", "Activity", "conv1", "lif", "dv/dt = (E - v)/tau",
        "epochs = 8", "bouton train mnist", "matched network without spikes", "predicted 3"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(count(html, "<figure>"), 4u);
}

TEST(Report, IsEscaped) {
  const std::string html = html_report(sample());
  EXPECT_NE(html.find("<h1>mnist &lt;&amp; more&gt;</h1>"), std::string::npos);
  EXPECT_NE(html.find("spike when v &gt; V_T"), std::string::npos);
  TrainingReport hostile;
  hostile.title = hostile.description = hostile.recipe_text = "<script>alert(1)</script>\"";
  hostile.facts = {{hostile.title, hostile.title}};
  hostile.class_names = {hostile.title, hostile.title};
  hostile.confusion = {{1, 2}, {3, 4}};
  hostile.epochs = {{.epoch = 1, .activity = {{hostile.title, 1}}}};
  hostile.mechanisms = {{hostile.title, hostile.title, hostile.title}};
  hostile.layers = {{hostile.title, hostile.title, hostile.title, 1}};
  EXPECT_EQ(html_report(hostile).find("<script"), std::string::npos);
}

TEST(Report, NeedsNothingFromOutside) {
  const std::string html = html_report(sample());
  for (const char* part : {"http", "src=", "url(", "@import", "<link", "<script"})
    EXPECT_EQ(html.find(part), std::string::npos) << part;
}

TEST(Report, EveryElementIsClosed) {
  const std::string html = html_report(sample());
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-z0-9]+)((?:[^<>\"]|\"[^\"]*\")*?)(/?)>");
  for (std::sregex_iterator at(html.begin(), html.end(), tag), end; at != end; ++at) {
    const std::string name = (*at)[2];
    if (name == "meta" || (*at)[4] == "/") continue;
    if ((*at)[1] != "/") {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty()) << name;
    ASSERT_EQ(open.back(), name);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
}

TEST(Report, PartsWithoutContentAreLeftOutAndOddNumbersDoNoHarm) {
  TrainingReport bare;
  bare.title = "bare";
  const std::string html = html_report(bare);
  EXPECT_EQ(html.find("<h2>"), std::string::npos);
  bare.epochs = {{.epoch = 1, .train_loss = std::numeric_limits<double>::quiet_NaN(), .train_accuracy = 0}};
  const std::string odd = html_report(bare);
  EXPECT_EQ(odd.find("nan"), std::string::npos);
  EXPECT_EQ(odd.find("inf"), std::string::npos);
}

TEST(Report, IsWrittenWhole) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_report(folder / "report.html", sample()).ok());
  EXPECT_EQ(read_file(folder / "report.html", 1 << 20).value(), html_report(sample()));
  EXPECT_EQ(write_report(folder / "none" / "report.html", sample()).diagnostics().at(0).code, "folder-not-found");
}

}  // namespace
}  // namespace bouton::evaluate
