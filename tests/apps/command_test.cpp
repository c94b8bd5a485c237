// The built command as its users meet it: exit codes, error texts to the letter, one JSON object, completion.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/command.hpp"
#include "support/ordinary_user.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_images.hpp"

namespace bouton {
namespace {

using nlohmann::json;

class Command : public testing::Test {
 protected:
  Output run(const std::vector<std::string>& words, void (*prepare)() = nullptr) {
    return finish(folder_.path(), start(folder_.path(), words, prepare));
  }

  // The error's text on standard error, nothing on standard output, exit code 2.
  void expect_error(const std::vector<std::string>& words, const std::string& text, void (*prepare)() = nullptr) {
    const Output output = run(words, prepare);
    EXPECT_EQ(output.code, 2);
    EXPECT_EQ(output.err, text);
    EXPECT_EQ(output.out, "");
  }

  const std::string& tiny() {
    if (tiny_.empty()) {
      tiny_ = (folder_ / "tiny").string();
      write_tiny_set(tiny_);
    }
    return tiny_;
  }

  TemporaryFolder folder_;
  EnvironmentVariable no_launcher_{"BOUTON_COMMAND", ""};

 private:
  std::string tiny_;
};

TEST_F(Command, AMisspeltCommandNamesTheNearest) {
  expect_error({"trian", "mnist"},
               "error[unknown-command]: 'bouton' has no command 'trian'\n"
               "   = did you mean 'train'?\n");
}

TEST_F(Command, NoCommandListsThem) {
  const Output output = run({});
  EXPECT_EQ(output.code, 2);
  EXPECT_NE(output.err.find("error[missing-command]: 'bouton' needs a command\n"), std::string::npos) << output.err;
  for (const char* name :
       {"train", "tune", "prune", "export", "evaluate", "predict", "explain", "list", "data", "doctor"}) {
    EXPECT_NE(output.err.find(name), std::string::npos) << name;
  }
}

TEST_F(Command, AMisspeltOptionNamesTheNearest) {
  expect_error({"train", "mnist", "--epoch", "3"},
               "error[unknown-option]: 'bouton train' has no option '--epoch'\n"
               "   = did you mean '--epochs'?\n");
}

TEST_F(Command, ANumberThatIsNoneIsRefused) {
  expect_error({"train", "mnist", "--epochs", "many"},
               "error[bad-option-value]: --epochs takes a whole number of at least 1, not 'many'\n");
  expect_error({"train", "mnist", "--epochs", "0"},
               "error[bad-option-value]: --epochs takes a whole number of at least 1, not '0'\n");
  expect_error({"train", "mnist", "--seed", "-1"},
               "error[bad-option-value]: --seed takes a whole number of at least 0, not '-1'\n");
  expect_error({"train", "mnist", "--threads", "99999999999999999999"},
               "error[bad-option-value]: --threads takes a whole number of at least 1, not '99999999999999999999'\n");
}

TEST_F(Command, AMissingArgumentIsNamed) {
  expect_error({"evaluate"},
               "error[missing-argument]: 'bouton evaluate' needs FILE (A model file that training saved)\n"
               "   = see 'bouton evaluate --help'\n");
}

TEST_F(Command, AWordTooManyIsNamed) {
  expect_error({"doctor", "now"},
               "error[bad-option]: 'bouton doctor' does not know what to do with 'now'\n"
               "   = see 'bouton doctor --help'\n");
}

TEST_F(Command, AnUnknownTopicNamesTheNearest) {
  expect_error({"list", "recipe"},
               "error[bad-option-value]: there is no topic 'recipe'\n"
               "   = did you mean 'recipes'?\n");
}

TEST_F(Command, AnUnknownRecipeNamesTheNearest) {
  const Output output = run({"train", "mnsit"});
  EXPECT_EQ(output.code, 2);
  EXPECT_NE(output.err.find("'mnsit'"), std::string::npos) << output.err;
  EXPECT_NE(output.err.find("did you mean 'mnist'?"), std::string::npos) << output.err;
}

TEST_F(Command, AnUnknownNeuronNamesTheNearest) {
  const Output output = run({"explain", "adexx"});
  EXPECT_EQ(output.code, 2);
  EXPECT_NE(output.err.find("did you mean 'adex'?"), std::string::npos) << output.err;
}

TEST_F(Command, AMistakeInANeuronIsShownWithItsPlace) {
  std::ofstream(folder_ / "cell.mech")
      << "neuron cell\n  parameter tau = 20 mss\n  input I : 1\n  dv/dt = (I - v)/tau : 1\n";
  const Output output = run({"explain", "cell.mech"});
  EXPECT_EQ(output.code, 2);
  EXPECT_NE(output.err.find("cell.mech:2:"), std::string::npos) << output.err;
  EXPECT_NE(output.err.find("^^^"), std::string::npos) << output.err;
}

TEST_F(Command, AMissingModelIsOneSentence) {
  for (const auto& words :
       {std::vector<std::string>{"evaluate", "nowhere.bouton"}, {"predict", "nowhere.bouton", "a.png"}}) {
    const Output output = run(words);
    EXPECT_EQ(output.code, 2);
    EXPECT_EQ(output.err.rfind("error[file-not-found]: ", 0), 0u) << output.err;
    EXPECT_NE(output.err.find("nowhere.bouton"), std::string::npos) << output.err;
  }
}

TEST_F(Command, AForeignModelFileIsRefused) {
  std::ofstream(folder_ / "model.bouton")
      << "PK\x03\x04 not a model of ours, but long enough to hold a header of one, had it been one";
  const Output output = run({"evaluate", "model.bouton"});
  EXPECT_EQ(output.code, 2);
  EXPECT_EQ(output.err.rfind("error[", 0), 0u) << output.err;
  EXPECT_NE(output.err.find("model.bouton"), std::string::npos) << output.err;
}

TEST_F(Command, AnErrorInJsonIsOneObjectWithTheSameCode) {
  for (const auto& words : {std::vector<std::string>{"train", "mnsit", "--json"},
                            {"trian", "--json"},
                            {"evaluate", "nowhere.bouton", "--json"}}) {
    const Output output = run(words);
    EXPECT_EQ(output.code, 2);
    const json object = json::parse(output.out);
    EXPECT_EQ(object.at("error"), object.at("errors").at(0));
    EXPECT_NE(output.err.find("error[" + object.at("error").at("code").get<std::string>() +
                              "]: " + object.at("error").at("message").get<std::string>()),
              std::string::npos)
        << output.err;
  }
}

TEST_F(Command, ResumingWithoutARunSaysWhereItLooked) {
  expect_error({"train", "mnist", "--resume"},
               "error[no-run-to-resume]: there is no earlier run of 'mnist' under runs/ to resume\n"
               "   = name its folder with --run FOLDER, or start anew without --resume\n");
}

TEST_F(Command, AnUnwritableRunFolderIsRefusedBeforeTraining) {
  std::ofstream(folder_ / "file") << "in the way";
  expect_error({"train", "mnist-mlp", "--data", tiny(), "--run", "file/run"},
               "error[not-a-folder]: expected a folder, but a file of this name is in the way\n"
               "  --> file/run\n");
  fs::create_directory(folder_ / "locked");
  fs::permissions(folder_ / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  expect_error({"train", "mnist-mlp", "--data", tiny(), "--run", "locked/run"},
               "error[folder-not-writable]: the folder cannot be created: Permission denied\n"
               "  --> locked/run\n"
               "   = choose a folder you may write to\n",
               execute_as_ordinary_user);
  fs::permissions(folder_ / "locked", fs::perms::owner_all);
}

// A limit on the size of files stands for a disk that is full: the same branch of the code takes both.
TEST_F(Command, ARunThatCannotBeSavedIsRefusedBeforeTraining) {
  expect_error({"train", "mnist-mlp", "--data", tiny(), "--run", "run"},
               "error[disk-full]: there is no room to write this file: File too large\n"
               "  --> run/checkpoint.bouton\n"
               "   = free some space, or choose another disk\n",
               [] {
                 const rlimit small{8192, 8192};
                 setrlimit(RLIMIT_FSIZE, &small);
                 std::signal(SIGXFSZ, SIG_IGN);
               });
  EXPECT_FALSE(fs::exists(folder_ / "run/checkpoint.bouton"));
}

TEST_F(Command, AResultThatMeetsAFullDiskIsAFailure) {
  const auto full = [] { dup2(open("/dev/full", O_WRONLY), 1); };
  const std::string text =
      "error[disk-full]: the result cannot be written to standard output: No space left on device\n";
  for (const auto& words : {std::vector<std::string>{"list", "recipes"},
                            {"list", "--json"},
                            {"explain", "lif"},
                            {"completion", "bash"},
                            {"--help"}}) {
    expect_error(words, text, full);
  }
}

TEST_F(Command, ATruncatedSetIsRefusedWithWhatIsMissing) {
  const fs::path images = fs::path(tiny()) / "train-images-idx3-ubyte";
  fs::resize_file(images, 1000);
  const Output output = run({"train", "mnist-mlp", "--data", tiny()});
  EXPECT_EQ(output.code, 2);
  EXPECT_EQ(output.err.rfind("error[idx-truncated]: the header promises ", 0), 0u) << output.err;
  EXPECT_NE(output.err.find(", but 984 follow: the file is cut short\n  --> " + images.string() + "\n"),
            std::string::npos)
      << output.err;
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
}

TEST_F(Command, HelpTeachesWithExamples) {
  for (const auto& words : {std::vector<std::string>{"--help"},
                            {"train", "--help"},
                            {"evaluate", "--help"},
                            {"predict", "--help"},
                            {"explain", "--help"},
                            {"list", "--help"},
                            {"data", "get", "--help"},
                            {"doctor", "--help"},
                            {"completion", "--help"}}) {
    const Output output = run(words);
    EXPECT_EQ(output.code, 0);
    EXPECT_NE(output.out.find("Example"), std::string::npos) << words[0];
    EXPECT_NE(output.out.find("  bouton " + (words[0] == "--help" ? "train" : words[0])), std::string::npos)
        << words[0];
  }
}

TEST_F(Command, VersionIsTheProjects) {
  const Output output = run({"--version"});
  EXPECT_EQ(output.code, 0);
  EXPECT_EQ(output.out.rfind("bouton 0.", 0), 0u) << output.out;
}

TEST_F(Command, ListHasEverythingAndNamesAreBare) {
  const json all = json::parse(run({"list", "--json"}).out);
  EXPECT_EQ(all.at("command"), "list");
  const auto has = [&](const char* topic, const std::string& name) {
    for (const auto& entry : all.at(topic)) {
      if (entry.at("name") == name) return true;
    }
    return false;
  };
  EXPECT_TRUE(has("recipes", "mnist"));
  EXPECT_TRUE(has("mechanisms", "lif"));
  EXPECT_TRUE(has("mechanisms", "nmda"));
  EXPECT_TRUE(has("mechanisms", "stdp_additive"));
  EXPECT_TRUE(has("data", "fashion-mnist"));
  const Output names = run({"list", "recipes", "--names"});
  EXPECT_NE(("\n" + names.out).find("\nmnist\n"), std::string::npos) << names.out;
}

TEST_F(Command, ExplainSaysSolverAndUnitsOfALif) {
  const json lif = json::parse(run({"explain", "lif", "--json"}).out);
  EXPECT_EQ(lif.at("name"), "lif");
  EXPECT_EQ(lif.at("states").at(0).at("name"), "v");
  EXPECT_EQ(lif.at("states").at(0).at("unit"), "volt");
  EXPECT_EQ(lif.at("states").at(0).at("solver"), "exact");
  EXPECT_NE(lif.at("states").at(0).at("reason"), "");
  EXPECT_EQ(run({"explain", "lif"}).out, lif.at("text"));
  EXPECT_NE(run({"explain", "lif", "--source"}).out.find("BOUTON_KERNEL_ABI"), std::string::npos);
}

TEST_F(Command, ExplainSaysTheCurrentOfAChannel) {
  const json nmda = json::parse(run({"explain", "nmda", "--json"}).out);
  EXPECT_EQ(nmda.at("kind"), "channel");
  EXPECT_EQ(nmda.at("current"), "g*B*r*(E - v)");
  EXPECT_EQ(nmda.at("current_unit"), "amp");
  EXPECT_EQ(run({"explain", "nmda"}).out, nmda.at("text"));
  std::ofstream(folder_ / "leak.mech") << "channel leak\n  membrane v : volt\n  current 1 nS*(-70 mV - v) : amp\n";
  EXPECT_EQ(json::parse(run({"explain", "leak.mech", "--json"}).out).at("name"), "leak");
  const Output source = run({"explain", "nmda", "--source"});
  EXPECT_EQ(source.code, 2);
  EXPECT_NE(source.err.find("no kernel of its own"), std::string::npos) << source.err;
}

TEST_F(Command, ExplainSaysWhatASynapseKeeps) {
  const json rule = json::parse(run({"explain", "stdp_additive", "--json"}).out);
  EXPECT_EQ(rule.at("bytes_per_synapse"), 8);
  EXPECT_EQ(rule.at("variables").at(0).at("kept"), "synapse");
  EXPECT_EQ(rule.at("variables").at(1).at("kept"), "axon");
  EXPECT_EQ(run({"explain", "stdp_additive"}).out, rule.at("text"));
  std::ofstream(folder_ / "rule.mech") << "synapse rule\n  weight w : 1\n  on pre:\n    deliver v\n";
  const Output wrong = run({"explain", "rule.mech"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("rule.mech:4:"), std::string::npos) << wrong.err;
  EXPECT_NE(run({"explain", "stdp_aditive"}).err.find("did you mean 'stdp_additive'?"), std::string::npos);
}

TEST_F(Command, DoctorChecksEachPointAndAdvisesWhereItWarns) {
  const Output output = run({"doctor", "--json"});
  EXPECT_EQ(output.code, 0);
  const json report = json::parse(output.out);
  int warnings = 0;
  std::string names;
  for (const auto& check : report.at("checks")) {
    const bool warns = check.at("status") == "warn";
    warnings += warns;
    EXPECT_EQ(warns, check.at("advice") != "") << check;
    names += check.at("name").get<std::string>() + ";";
  }
  EXPECT_EQ(report.at("warnings"), warnings);
  EXPECT_EQ(
      names.rfind("processor;cores;load;LibTorch;BLAS;BLAS kernels;OMP_WAIT_POLICY;huge pages;cache;compiler;data ", 0),
      0u)
      << names;
}

TEST_F(Command, DoctorSeesABlasHeldBelowTheProcessor) {
  const EnvironmentVariable forced("OPENBLAS_CORETYPE", "Prescott");
  const json report = json::parse(run({"doctor", "--json"}).out);
  for (const auto& check : report.at("checks")) {
    if (check.at("name") == "BLAS kernels") {
      EXPECT_EQ(check.at("status"), "warn") << check;
      EXPECT_NE(check.at("advice").get<std::string>().find("OPENBLAS_CORETYPE=Prescott"), std::string::npos) << check;
    }
  }
}

TEST_F(Command, CompletionKnowsEveryCommandAndOption) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Output output = run({"completion", shell});
    EXPECT_EQ(output.code, 0);
    for (const char* word : {"train", "evaluate", "predict", "explain", "list", "data", "doctor", "completion",
                             "epochs", "checkpoint-seconds", "names"}) {
      EXPECT_NE(output.out.find(word), std::string::npos) << shell << " " << word;
    }
  }
}

// What bash itself offers after `line`, one word a line.
TEST_F(Command, BashCompletesCommandsOptionsAndRecipes) {
  const auto offered = [&](const std::string& words, int index) {
    std::ofstream(folder_ / "complete.sh")
        << "bouton() { \"" << BOUTON_PROGRAM << "\" \"$@\"; }\nsource <(bouton completion bash)\nCOMP_WORDS=(" << words
        << ")\nCOMP_CWORD=" << index << "\n_bouton\nprintf '%s\\n' \"${COMPREPLY[@]}\" > offered\n";
    const std::string command = "cd '" + folder_.path().string() + "' && bash complete.sh";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return content(folder_ / "offered");
  };
  EXPECT_EQ(offered("bouton tr", 1), "train\n");
  EXPECT_EQ(offered("bouton train mnist --ep", 3), "--epochs\n");
  EXPECT_EQ(offered("bouton completion f", 2), "fish\n");
  EXPECT_EQ(offered("bouton data g", 2), "get\n");
  EXPECT_EQ(offered("bouton train mnist-s", 2), "mnist-spiking-mlp\n");
  EXPECT_EQ(offered("bouton explain hodg", 2), "hodgkin_huxley\n");
}

// Training on a made-up set: the whole way from the recipe to a prediction.
TEST_F(Command, TrainsEvaluatesAndPredictsWithOneJsonObjectEach) {
  const Output trained = run({"train", "mnist-mlp", "--data", tiny(), "--epochs", "6", "--run", "run", "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const json report = json::parse(trained.out);
  EXPECT_EQ(report.at("recipe"), "mnist-mlp");
  ASSERT_EQ(report.at("epochs").size(), 6u);
  EXPECT_EQ(report.at("epochs").at(0).at("epoch"), 1);
  EXPECT_TRUE(report.at("epochs").at(0).at("test_accuracy").is_number());
  EXPECT_GT(report.at("test_accuracy"), 0.5);
  EXPECT_FALSE(report.at("interrupted"));
  EXPECT_EQ(trained.err.find('\r'), std::string::npos) << "no progress bar where there is no terminal";
  EXPECT_NE(trained.err.find("epoch 1/6  loss "), std::string::npos) << trained.err;
  const fs::path model = folder_.path() / report.at("model").get<std::string>();
  ASSERT_TRUE(fs::exists(model)) << model;
  EXPECT_TRUE(fs::exists(folder_.path() / report.at("report").get<std::string>()));
  EXPECT_TRUE(fs::exists(folder_.path() / report.at("tensorboard").get<std::string>()));

  const Output evaluated = run({"evaluate", model.string(), "--data", tiny(), "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const json evaluation = json::parse(evaluated.out);
  EXPECT_EQ(evaluation.at("count"), 200);
  EXPECT_DOUBLE_EQ(evaluation.at("accuracy").get<double>(), report.at("test_accuracy").get<double>());
  EXPECT_EQ(evaluation.at("confusion").size(), 10u);

  const Output predicted = run({"predict", model.string(), tiny() + "/t10k-images-idx3-ubyte", "--json"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_EQ(json::parse(predicted.out).at("predictions").size(), 200u);
  EXPECT_EQ(json::parse(predicted.out).at("predictions").at(0).at("scores").size(), 10u);

  // Truncated: one sentence, exit code 2, for any length.
  const std::string bytes = content(model);
  for (std::size_t length : {std::size_t{0}, std::size_t{20}, bytes.size() / 2, bytes.size() - 1}) {
    std::ofstream(folder_ / "short.bouton", std::ios::binary) << bytes.substr(0, length);
    const Output output = run({"predict", "short.bouton", tiny() + "/t10k-images-idx3-ubyte"});
    EXPECT_EQ(output.code, 2) << length;
    EXPECT_EQ(output.err.rfind("error[", 0), 0u) << output.err;
    EXPECT_NE(output.err.find("short.bouton"), std::string::npos) << output.err;
  }
}

// The spiking recipe with as many validation samples as the made-up set allows.
std::string small_recipe() {
  std::string recipe = content(std::string(BOUTON_SOURCE_DIR) + "/recipes/mnist-spiking-mlp.toml");
  const std::string split = "validation = 5000";
  EXPECT_NE(recipe.find(split), std::string::npos);
  return recipe.replace(recipe.find(split), split.size(), "validation = 100");
}

TEST_F(Command, ATrainedNetworkIsPrunedAndExportedToTheBit) {
  std::ofstream(folder_ / "small.toml") << small_recipe();
  const Output trained = run({"train", "small.toml", "--data", tiny(), "--epochs", "3", "--run", "run", "--json"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Output pruned = run({"prune", "run", "--sparsity", "0.9", "--epochs", "12", "--rate-factor", "1", "--data",
                             tiny(), "--run", "thin", "--json"});
  ASSERT_EQ(pruned.code, 0) << pruned.err;
  const json thin = json::parse(pruned.out);
  EXPECT_NEAR(thin.at("sparsity").get<double>(), 0.9, 0.001);
  EXPECT_EQ(thin.at("accuracy_before"), json::parse(trained.out).at("test_accuracy"));
  EXPECT_GT(thin.at("accuracy_after"), 0.9);

  json whole_file, thin_file;
  for (auto& [run_folder, file] : {std::pair<std::string, json&>{"run", whole_file}, {"thin", thin_file}}) {
    const Output exported = run({"export", run_folder, "--runtime", run_folder + ".bouton", "--limit", "50", "--json"});
    ASSERT_EQ(exported.code, 0) << exported.err;
    file = json::parse(exported.out);
    EXPECT_EQ(file.at("compared"), 50);
    EXPECT_EQ(file.at("identical"), 50) << run_folder;
    EXPECT_TRUE(fs::exists(folder_ / (run_folder + ".bouton")));
  }
  EXPECT_LT(thin_file.at("parameters"), whole_file.at("parameters").get<int64_t>() / 8);
  EXPECT_LT(thin_file.at("weight_bytes"), whole_file.at("weight_bytes").get<int64_t>() / 4);
}

TEST_F(Command, AMechanismOfOnesOwnIsExportedAsSourceOrNotAtAll) {
  fs::copy_file(std::string(BOUTON_SOURCE_DIR) + "/examples/tiring.mech", folder_ / "tiring.mech");
  std::string recipe = small_recipe();
  const std::string lif = "mechanism = \"lif\"\nparameters = { tau_m = \"5 ms\", t_ref = \"0 ms\" }";
  ASSERT_NE(recipe.find(lif), std::string::npos);
  std::ofstream(folder_ / "own.toml") << recipe.replace(recipe.find(lif), lif.size(), "file = \"tiring.mech\"");
  ASSERT_EQ(run({"train", "own.toml", "--data", tiny(), "--epochs", "1", "--limit", "100", "--run", "own"}).code, 0);
  const Output refused = run({"export", "own", "--runtime", "own.bouton"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("error[own-mechanism]: the mechanism 'tiring'"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--kernels FOLDER"), std::string::npos) << refused.err;
  EXPECT_FALSE(fs::exists(folder_ / "own.bouton"));
  fs::create_directory(folder_ / "kernels");
  const Output exported = run({"export", "own", "--runtime", "own.bouton", "--kernels", "kernels", "--json"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_EQ(json::parse(exported.out).at("identical"), json::parse(exported.out).at("compared"));
  EXPECT_NE(content(folder_ / "kernels" / "tiring_kernel.cpp").find("bouton_kernel_tiring"), std::string::npos);
}

TEST_F(Command, ASearchStopsWhatFallsBehindAndIsResumed) {
  std::ofstream(folder_ / "small.toml") << small_recipe();
  std::ofstream(folder_ / "search.toml")
      << "recipe = \"small.toml\"\ntrials = 6\nparallel = 2\nepochs = 4\nreduction = 2\n"
         "[space]\n\"training.learning_rate\" = { low = 1e-6, high = 1e-2, scale = \"log\" }\n"
         "\"layer[2].size\" = { low = 16, high = 64, integer = true }\n";
  const std::vector<std::string> words{"tune", "search.toml", "--data", tiny(), "--run", "search", "--json"};
  const pid_t child = start(folder_.path(), words);
  for (int i = 0; i < 600 && content(folder_ / "stderr").find("trial ") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  kill(child, SIGINT);
  const Output stopped = finish(folder_.path(), child);
  ASSERT_EQ(stopped.code, 130) << stopped.err;

  std::vector<std::string> again = words;
  again.emplace_back("--resume");
  const Output output = run(again);
  ASSERT_EQ(output.code, 0) << output.err;
  const json report = json::parse(output.out);
  ASSERT_EQ(report.at("trials").size(), 6u);
  std::size_t finished = 0;
  for (const json& trial : report.at("trials")) {
    const std::string state = trial.at("state");
    EXPECT_TRUE(state == "finished" || state == "stopped") << trial.dump();
    EXPECT_EQ(trial.at("validation_accuracy").size() == 4, state == "finished");
    finished += state == "finished";
  }
  EXPECT_GE(finished, 1u);
  const json& best = report.at("trials").at(report.at("best").get<std::size_t>() - 1);
  EXPECT_EQ(best.at("state"), "finished");
  for (const char* file : {"table", "picture", "recipe", "model"})
    EXPECT_TRUE(fs::exists(folder_ / report.at(file).get<std::string>())) << file;
  EXPECT_EQ(content(folder_ / report.at("picture").get<std::string>()).substr(1, 3), "PNG");

  std::ofstream(folder_ / "search.toml", std::ios::app) << "# another\n";
  const Output other = run(again);
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("error[resume-differs]"), std::string::npos) << other.err;
}

TEST_F(Command, EachTrainingOptionChangesTheRun) {
  const auto train = [&](std::vector<std::string> more, const std::string& run_folder) {
    std::vector<std::string> words{"train", "mnist-mlp", "--data", tiny(),    "--epochs",
                                   "1",     "--json",    "--run",  run_folder};
    words.insert(words.end(), more.begin(), more.end());
    const Output output = run(words);
    EXPECT_EQ(output.code, 0) << output.err;
    return json::parse(output.out).at("epochs").at(0).at("train_loss").get<double>();
  };
  const double plain = train({"--seed", "1"}, "a");
  EXPECT_EQ(train({"--seed", "1"}, "b"), plain) << "the same seed gives the same run";
  EXPECT_EQ(train({"--seed", "1", "--threads", "1"}, "c"), train({"--seed", "1", "--threads", "2"}, "d"))
      << "threads change nothing";
  EXPECT_NE(train({"--seed", "2"}, "e"), plain);
  EXPECT_NE(train({"--seed", "1", "--limit", "100"}, "f"), plain);
}

TEST_F(Command, CtrlCSavesAndResumingGoesOnBitIdentically) {
  std::ofstream(folder_ / "small.toml") << small_recipe();
  const std::vector<std::string> words{"train",   "small.toml", "--data", tiny(), "--epochs", "12",
                                       "--limit", "500",        "--seed", "3",    "--json",   "--run"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = words;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const Output whole = run(with({"whole"}));
  ASSERT_EQ(whole.code, 0) << whole.err;

  const pid_t child = start(folder_.path(), with({"parts"}));
  for (int i = 0; i < 600 && content(folder_ / "stderr").find("epoch 2/12") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  kill(child, SIGINT);
  const Output stopped = finish(folder_.path(), child);
  ASSERT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_TRUE(json::parse(stopped.out).at("interrupted"));
  EXPECT_NE(stopped.err.find("stopping after this step"), std::string::npos);

  const Output resumed = run(with({"parts", "--resume"}));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  const json a = json::parse(whole.out), b = json::parse(resumed.out);
  ASSERT_EQ(a.at("epochs").size(), b.at("epochs").size());
  for (std::size_t i = 0; i < a.at("epochs").size(); ++i) {
    EXPECT_EQ(a.at("epochs").at(i).at("train_loss"), b.at("epochs").at(i).at("train_loss")) << "epoch " << i + 1;
    EXPECT_EQ(a.at("epochs").at(i).at("test_accuracy"), b.at("epochs").at(i).at("test_accuracy")) << "epoch " << i + 1;
  }
}

#ifdef BOUTON_MPIRUN
// Training over processes; skipped where mpirun starts none.
class TrainOverProcesses : public Command {
 protected:
  void SetUp() override {
    const Output plain =
        finish(folder_.path(), start_program(folder_.path(), {BOUTON_MPIRUN, "-n", "2", "--oversubscribe", "true"}));
    if (plain.code != 0) GTEST_SKIP() << "mpirun starts no processes here: " << plain.err;
    std::ofstream(folder_ / "small.toml") << small_recipe() << "slices = 2\n";
  }
  std::vector<std::string> words(const std::string& run, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{"train",  "small.toml", "--data",    tiny(), "--epochs", "4",     "--limit", "500",
                                 "--seed", "3",          "--threads", "1",    "--json",   "--run", run};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  pid_t start_two(const std::vector<std::string>& words) {
    std::vector<std::string> all{BOUTON_MPIRUN, "-n", "2", "--oversubscribe", BOUTON_PROGRAM};
    all.insert(all.end(), words.begin(), words.end());
    return start_program(folder_.path(), all);
  }
  Output run_two(const std::vector<std::string>& words) { return finish(folder_.path(), start_two(words)); }
  static json losses(const Output& output) {
    EXPECT_EQ(output.code, 0) << output.err;
    json all = json::array();
    if (output.code != 0) return all;
    const json report = json::parse(output.out);
    for (const json& epoch : report.at("epochs"))
      all.push_back({epoch.at("train_loss"), epoch.at("validation_loss"), epoch.at("test_accuracy")});
    return all;
  }

 private:
  // Open MPI refuses root unless it is told, and binds processes to cores that may be fewer than they.
  EnvironmentVariable root_{"OMPI_ALLOW_RUN_AS_ROOT", "1"}, sure_{"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"};
  EnvironmentVariable unbound_{"OMPI_MCA_hwloc_base_binding_policy", "none"};
  EnvironmentVariable yielding_{"OMPI_MCA_mpi_yield_when_idle", "1"};
};

TEST_F(TrainOverProcesses, TwoLearnTheBitsOfOneAndOneObjectIsPrinted) {
  const json one = losses(run(words("one")));
  EXPECT_EQ(losses(run_two(words("two"))), one);
  EXPECT_EQ(one.size(), 4u);
}

TEST_F(TrainOverProcesses, KilledTheyGoOnWithTheSameBits) {
  const json one = losses(run(words("one")));
  const pid_t launcher = start_two(words("two"));
  for (int i = 0; i < 600 && content(folder_ / "stderr").find("epoch 2/4") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  kill(launcher, SIGTERM);  // mpirun ends them all within a second
  EXPECT_NE(finish(folder_.path(), launcher).code, 0) << "it was over before it could be stopped";
  EXPECT_EQ(losses(run_two(words("two", {"--resume"}))), one);
}

TEST_F(TrainOverProcesses, AMistakeIsToldOnce) {
  std::ofstream(folder_ / "small.toml") << "nonsense = 1\n";
  const Output output = run_two(words("two"));
  EXPECT_NE(output.code, 0);
  const std::string wanted = "error[unknown-key]";
  const std::size_t at = output.err.find(wanted);
  ASSERT_NE(at, std::string::npos) << output.err;
  EXPECT_EQ(output.err.find(wanted, at + 1), std::string::npos) << output.err;
}
#endif

}  // namespace
}  // namespace bouton
