#include "bouton/command_line.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

#include "bouton/completion.hpp"
#include "bouton/output.hpp"

namespace bouton::app {
namespace {

// Paragraphs as written; CLI11 puts them before and after the table of options.
constexpr const char* description =
    "bouton: brain-inspired AI from textbook equations.\n"
    "A neuron is written once, as equations in a text file; the same text is explained, trained and used.";

constexpr const char* root_examples =
    "Examples:\n"
    "  bouton train mnist                 learn handwritten digits with a spiking network\n"
    "  bouton simulate brunel             a network of 12,500 neurons\n"
    "  bouton explain lif                 a neuron's equations, units, solvers and update step\n"
    "  bouton explain my_cell.mech        the same for a neuron or synapse of your own\n"
    "  bouton list                        recipes, neurons and data sets\n"
    "  bouton doctor                      what on this machine is slow or missing\n"
    "'bouton COMMAND --help' says more. Every command takes --json: one object on standard output (docs/json.md).";

// Adds an option that takes a whole number of at least `minimum`.
template <typename T>
CLI::Option* add_whole_number(CLI::App* app, const std::string& name, std::optional<T>& target, T minimum,
                              const std::string& help) {
  return app
      ->add_option_function<std::string>(
          name,
          [&target, name, minimum](const std::string& text) {
            T value{};
            const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (failed != std::errc{} || end != text.data() + text.size() || value < minimum) {
              throw Error(Diagnostic{
                  .code = "bad-option-value",
                  .message = fmt::format("{} takes a whole number of at least {}, not '{}'", name, minimum, text)});
            }
            target = value;
          },
          help)
      ->type_name("N");
}

// Adds an option that takes a number.
CLI::Option* add_number(CLI::App* app, const std::string& name, std::optional<double>& target,
                        const std::string& help) {
  return app
      ->add_option_function<std::string>(
          name,
          [&target, name](const std::string& text) {
            double value{};
            const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (failed != std::errc{} || end != text.data() + text.size()) {
              throw Error(Diagnostic{.code = "bad-option-value",
                                     .message = fmt::format("{} takes a number, not '{}'", name, text)});
            }
            target = value;
          },
          help)
      ->type_name("X");
}

// Adds a positional argument that is one of a few words.
void add_choice(CLI::App* app, const std::string& name, std::string& target, const std::vector<std::string>& words,
                bool required, const std::string& help) {
  std::string type;
  for (const std::string& word : words) type += (type.empty() ? "" : "|") + word;
  CLI::Option* option = app->add_option_function<std::string>(
      name,
      [&target, words, name](const std::string& text) {
        if (std::find(words.begin(), words.end(), text) == words.end()) {
          throw Error(Diagnostic{.code = "bad-option-value",
                                 .message = fmt::format("there is no {} '{}'", name, text),
                                 .hint = hint_for(text, words)});
        }
        target = text;
      },
      help);
  option->type_name(type);
  if (required) option->required();
}

// One command of the tree, its arguments bound to `arguments`.
class Tree {
 public:
  Tree() : app_(description, "bouton") {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", std::string("bouton ") + BOUTON_VERSION);
    app_.set_help_flag("-h,--help", "Print this help");
    app_.footer(root_examples);
    app_.get_formatter()->column_width(34);
    add_train();
    add_simulate();
    add_validate();
    add_evaluate();
    add_predict();
    add_tune();
    add_prune();
    add_export();
    add_explain();
    add_list();
    add_data();
    add_doctor();
    add_completion();
  }

  CLI::App& app() { return app_; }
  Arguments& arguments() { return arguments_; }

 private:
  CLI::App* add(CLI::App* parent, const std::string& name, const std::string& text, const std::string& examples) {
    CLI::App* sub = parent->add_subcommand(name, text);
    sub->footer(examples);
    const std::string full = parent == &app_ ? name : parent->get_name() + " " + name;
    sub->final_callback([this, full] { arguments_.command = full; });
    return sub;
  }
  void add_json(CLI::App* sub) { sub->add_flag("--json", arguments_.json, "Print one JSON object on standard output"); }

  void add_train() {
    CLI::App* sub =
        add(&app_, "train", "Train a network as a recipe describes it",
            "A recipe is a TOML file: data, network, training. Each run has a folder with the model, the\n"
            "checkpoint, a report and TensorBoard logs. Ctrl-C finishes the step and saves; --resume goes on\n"
            "as if nothing had happened, also after a power cut. Started by mpirun, all processes take their parts\n"
            "of each batch.\n\n"
            "Examples:\n"
            "  bouton train mnist\n"
            "  bouton train mnist --epochs 3 --seed 7 --run runs/three\n"
            "  bouton train my_network.toml --data folder/of/idx/files\n"
            "  bouton train mnist --run runs/three --resume\n"
            "  bouton train mnist --data fashion-mnist --limit 1000 --from runs/three\n"
            "  mpirun -n 2 bouton train mnist\n"
            "  bouton train mnist --json | jq '.epochs[].test_accuracy'");
    sub->add_option("recipe", arguments_.recipe, "A name of 'bouton list recipes', or a TOML file")
        ->required()
        ->type_name(type_recipe);
    add_whole_number<int64_t>(sub, "--epochs", arguments_.epochs, 1,
                              "Passes over the training data, instead of the recipe's number");
    add_whole_number<uint64_t>(sub, "--seed", arguments_.seed, 0, "Of all that is random, instead of the recipe's");
    sub->add_option("--data", arguments_.data, "A folder of IDX files instead of the recipe's data set")
        ->type_name(type_folder);
    sub->add_option("--run", arguments_.run_folder, "Where to put the results; default runs/RECIPE-DATE-TIME")
        ->type_name(type_folder);
    sub->add_flag("--resume", arguments_.resume, "Go on from the checkpoint of --run, or of the recipe's newest run");
    sub->add_option("--from", arguments_.from,
                    "Begin with the weights of a model, or of a run's folder, where they fit")
        ->type_name(type_file);
    add_whole_number<int64_t>(sub, "--threads", arguments_.threads, 1,
                              "Of each process; default: all cores, shared among the processes");
    add_whole_number<int64_t>(sub, "--limit", arguments_.limit, 1,
                              "Use only the first N training samples, to try things out");
    add_whole_number<int64_t>(sub, "--checkpoint-seconds", arguments_.checkpoint_seconds, 1,
                              "Time between checkpoints; default 30");
    add_json(sub);
  }

  void add_simulate() {
    CLI::App* sub = add(
        &app_, "simulate", "Run a network of neurons as a file describes it",
        "A simulation is a TOML file: populations, projections, drives, what to record (docs/simulations.md). Each\n"
        "run has a folder with spikes (SONATA), pictures, a summary. Ctrl-C finishes the step and saves; --resume\n"
        "goes on bit for bit. Started by mpirun, it runs on all processes together, with the same spikes.\n\n"
        "Examples:\n"
        "  bouton simulate brunel\n"
        "  bouton simulate brunel --variant SIfast --duration 2s\n"
        "  bouton simulate my.toml --set g=4.5 --set \"populations.E.size=2000\"\n"
        "  bouton simulate microcircuit --scale 0.1 --threads 1\n"
        "  mpirun -n 2 bouton simulate microcircuit --json");
    sub->add_option("simulation", arguments_.recipe, "A name of 'bouton list recipes', or a TOML file")
        ->required()
        ->type_name(type_recipe);
    sub->add_option("--variant", arguments_.variant, "Use the values of [variants.NAME]")->type_name("NAME");
    sub->add_option("--set", arguments_.settings, "Another value for a key of the file; may be repeated")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    sub->add_option("--duration", arguments_.duration, "Biological time, such as 500ms, instead of the file's")
        ->type_name("TIME");
    add_number(sub, "--scale", arguments_.scale, "Size of the network, 0 to 1, activity kept; needs [scaling]");
    add_whole_number<uint64_t>(sub, "--seed", arguments_.seed, 0, "Of all that is random, instead of the file's");
    add_whole_number<int64_t>(sub, "--threads", arguments_.threads, 1, "Default: all cores");
    sub->add_option("--run", arguments_.run_folder, "Where to put the results; default runs/NAME-DATE-TIME")
        ->type_name(type_folder);
    sub->add_flag("--resume", arguments_.resume, "Go on with the run of --run");
    sub->add_option("--snapshot", arguments_.snapshot, "Save the last state to this file as well")
        ->type_name(type_file);
    sub->add_option("--from", arguments_.from, "Begin with a saved state instead of rest")->type_name(type_file);
    sub->add_flag("--no-output", arguments_.no_output, "Write no files");
    add_whole_number<int64_t>(sub, "--checkpoint-seconds", arguments_.checkpoint_seconds, 0,
                              "Time between savings of a long run; default 60");
    add_json(sub);
  }

  void add_validate() {
    CLI::App* sub = add(&app_, "validate", "Hold the simulator against published and computed reference values",
                        "Prints value, reference and tolerance of each; exit code 1 when one is off.\n\n"
                        "Examples:\n"
                        "  bouton validate\n"
                        "  bouton validate hodgkin-huxley --json\n"
                        "  bouton validate --slow");
    sub->add_option("groups", arguments_.files, "Only these groups")->type_name("GROUP");
    sub->add_flag("--slow", arguments_.slow, "Also those that take minutes and gigabytes");
    add_whole_number<int64_t>(sub, "--threads", arguments_.threads, 1, "Default: all cores");
    add_json(sub);
  }

  void add_evaluate() {
    CLI::App* sub = add(&app_, "evaluate", "Measure a saved model on its test data",
                        "Prints accuracy, loss, the confusion matrix and how active each layer is.\n\n"
                        "Examples:\n"
                        "  bouton evaluate runs/three/model.bouton\n"
                        "  bouton evaluate model.bouton --data folder/of/idx/files --json");
    sub->add_option("model", arguments_.model, "A model file that training saved")->required()->type_name(type_file);
    sub->add_option("--data", arguments_.data, "A folder of IDX files, or another set's name")->type_name(type_folder);
    add_json(sub);
  }

  void add_predict() {
    CLI::App* sub = add(&app_, "predict", "Ask a saved model about pictures",
                        "Pictures are PNG files of any size, or one IDX file of many.\n\n"
                        "Examples:\n"
                        "  bouton predict model.bouton digit.png\n"
                        "  bouton predict model.bouton scans/*.png --json");
    sub->add_option("model", arguments_.model, "A model file that training saved")->required()->type_name(type_file);
    sub->add_option("files", arguments_.files, "PNG files or IDX image files")->required()->type_name(type_file);
    add_json(sub);
  }

  void add_tune() {
    CLI::App* sub =
        add(&app_, "tune", "Look for good settings of a recipe",
            "A search is a TOML file: a recipe, a space of values, how many trials (docs/tuning.md). Trials are\n"
            "training runs in processes of their own; those that fall behind are stopped early.\n\n"
            "Examples:\n"
            "  bouton tune examples/tune_mnist.toml\n"
            "  bouton tune search.toml --trials 50 --parallel 2\n"
            "  bouton tune search.toml --run runs/search --resume");
    sub->add_option("search", arguments_.recipe, "A TOML file that describes the search")
        ->required()
        ->type_name(type_file);
    add_whole_number<int64_t>(sub, "--trials", arguments_.trials, 1, "How many, instead of the file's number");
    add_whole_number<int64_t>(sub, "--parallel", arguments_.parallel, 1, "Trials at the same time");
    add_whole_number<int64_t>(sub, "--threads", arguments_.threads, 1, "Of each trial; default: cores / parallel");
    sub->add_option("--data", arguments_.data, "A folder of IDX files instead of the recipe's data set")
        ->type_name(type_folder);
    sub->add_option("--run", arguments_.run_folder, "Where to put the results; default runs/NAME-DATE-TIME")
        ->type_name(type_folder);
    sub->add_flag("--resume", arguments_.resume, "Go on with the search of --run, or with the newest of its name");
    add_json(sub);
  }

  void add_prune() {
    CLI::App* sub =
        add(&app_, "prune", "Take weights out of a trained network while training goes on",
            "Weights go by their magnitude, more and more over the first half of the run; the rest learns to do\n"
            "without. The pruned model is a run of its own; 'bouton export' stores and multiplies it sparse.\n\n"
            "Examples:\n"
            "  bouton prune runs/three --sparsity 0.9 --epochs 2\n"
            "  bouton prune runs/three --sparsity 0.5 --units");
    sub->add_option("model", arguments_.model, "A model file, or the folder of a run")
        ->required()
        ->type_name(type_file);
    add_number(sub, "--sparsity", arguments_.sparsity, "The part of the weights to take out; default 0.9");
    add_whole_number<int64_t>(sub, "--epochs", arguments_.epochs, 1, "Passes over the training data; default 2");
    sub->add_flag("--per-layer", arguments_.per_layer, "The same part of every layer, instead of the smallest of all");
    sub->add_flag("--units", arguments_.units, "Whole hidden neurons and channels instead of single weights");
    add_number(sub, "--rate-factor", arguments_.rate_factor, "Of the recipe's learning rate; default 0.3");
    add_whole_number<uint64_t>(sub, "--seed", arguments_.seed, 0, "Of all that is random, instead of the model's");
    sub->add_option("--data", arguments_.data, "A folder of IDX files instead of the recipe's data set")
        ->type_name(type_folder);
    sub->add_option("--run", arguments_.run_folder, "Where to put the results; default runs/RECIPE-pruned-DATE-TIME")
        ->type_name(type_folder);
    sub->add_flag("--resume", arguments_.resume, "Go on from the checkpoint of --run");
    add_whole_number<int64_t>(sub, "--threads", arguments_.threads, 1, "Default: all cores");
    add_whole_number<int64_t>(sub, "--limit", arguments_.limit, 1, "Use only the first N training samples");
    add_json(sub);
  }

  void add_export() {
    CLI::App* sub =
        add(&app_, "export", "Write a trained network for programs without LibTorch",
            "Writes a runtime file, which libbouton loads and steps (docs/runtime.md), and measures it: memory,\n"
            "microseconds a step, and whether its bits are those of the trained network.\n\n"
            "Examples:\n"
            "  bouton export runs/three --runtime digits.bouton\n"
            "  bouton export model.bouton --runtime cell.bouton --kernels src/kernels");
    sub->add_option("model", arguments_.model, "A model file, or the folder of a run")
        ->required()
        ->type_name(type_file);
    sub->add_option("--runtime", arguments_.runtime, "The runtime file to write")->type_name(type_file);
    sub->add_option("--kernels", arguments_.kernels, "A folder for the kernels of mechanisms of your own, as C++")
        ->type_name(type_folder);
    add_whole_number<int64_t>(sub, "--limit", arguments_.limit, 1, "Measure on so many samples; default 500");
    add_json(sub);
  }

  void add_explain() {
    CLI::App* sub = add(
        &app_, "explain", "Show what the text of a neuron, channel or synapse means: equations, units, solvers and why",
        "Reads a .mech file (docs/mechanism-language.md), checks it, and prints the update step that runs; of a\n"
        "channel its current; of a synapse where each variable is kept, and the bytes a synapse takes.\n\n"
        "Examples:\n"
        "  bouton explain adex\n"
        "  bouton explain my_cell.mech\n"
        "  bouton explain nmda\n"
        "  bouton explain stdp_triplet\n"
        "  bouton explain lif --source | less");
    sub->add_option("mechanism", arguments_.mechanism, "A name of 'bouton list mechanisms', or a .mech file")
        ->required()
        ->type_name(type_mechanism);
    sub->add_flag("--source", arguments_.source, "Print the C++ of its kernel instead");
    sub->add_flag("--double", arguments_.double_precision, "With --source: in double precision");
    add_json(sub);
  }

  void add_list() {
    CLI::App* sub = add(&app_, "list", "List recipes, mechanisms and data sets",
                        "Examples:\n"
                        "  bouton list\n"
                        "  bouton list mechanisms\n"
                        "  bouton list recipes --names");
    add_choice(sub, "topic", arguments_.topic, {"mechanisms", "recipes", "data"}, false,
               "What to list; default: everything");
    sub->add_flag("--names", arguments_.names, "Only the names, one a line");
    add_json(sub);
  }

  void add_data() {
    CLI::App* sub = app_.add_subcommand("data", "Obtain data sets");
    sub->require_subcommand(1);
    sub->footer("Examples:\n  bouton data get mnist\n  bouton list data");
    CLI::App* get =
        add(sub, "get", "Fetch a data set into the cache and check every file", "Example:\n  bouton data get mnist");
    get->add_option("name", arguments_.data_set, "A name of 'bouton list data'")->required()->type_name(type_data);
    add_json(get);
  }

  void add_doctor() {
    CLI::App* sub = add(&app_, "doctor", "Check this machine: processor, BLAS, LibTorch, compiler, data",
                        "Each line is 'ok' or 'warn'; a warning says what to do.\n\n"
                        "Example:\n  bouton doctor");
    add_json(sub);
  }

  void add_completion() {
    CLI::App* sub = add(&app_, "completion", "Print a shell's completion script",
                        "Examples:\n"
                        "  source <(bouton completion bash)\n"
                        "  bouton completion zsh > ~/.zfunc/_bouton\n"
                        "  bouton completion fish > ~/.config/fish/completions/bouton.fish");
    add_choice(sub, "shell", arguments_.shell, {"bash", "zsh", "fish"}, true, "bash, zsh or fish");
    add_json(sub);
  }

  CLI::App app_;
  Arguments arguments_;
};

// The innermost command the user reached.
CLI::App* reached(CLI::App& app) {
  const auto subs = app.get_subcommands();
  return subs.empty() ? &app : reached(*subs.front());
}

std::string full_name(const CLI::App* app) {
  const CLI::App* parent = app->get_parent();
  return parent ? full_name(parent) + " " + app->get_name() : "bouton";
}

std::vector<std::string> option_names(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app->get_options([](const CLI::Option*) { return true; })) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

// CLI11's exception as one of our diagnostics.
Diagnostic diagnose(const CLI::ParseError& error, CLI::App& app) {
  const CLI::App* at = reached(app);
  const std::string help = fmt::format("see '{} --help'", full_name(at));
  const auto rest = app.remaining(true);
  for (const std::string& word : rest) {
    if (word.size() > 1 && word[0] == '-') {
      const std::string name = word.substr(0, word.find('='));
      const std::string near = nearest_name(name, option_names(at));
      return {.code = "unknown-option",
              .message = fmt::format("'{}' has no option '{}'", full_name(at), name),
              .hint = near.empty() ? help : fmt::format("did you mean '{}'?", near)};
    }
  }
  const auto commands = subcommand_names(at);
  if (!rest.empty() && !commands.empty()) {
    return {.code = "unknown-command",
            .message = fmt::format("'{}' has no command '{}'", full_name(at), rest.front()),
            .hint = hint_for(rest.front(), commands)};
  }
  if (!rest.empty()) {
    return {.code = "bad-option",
            .message = fmt::format("'{}' does not know what to do with '{}'", full_name(at), rest.front()),
            .hint = help};
  }
  if (!commands.empty()) {
    return {.code = "missing-command",
            .message = fmt::format("'{}' needs a command", full_name(at)),
            .hint = hint_for("", commands)};
  }
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError)) {
    for (const CLI::Option* option :
         at->get_options([](const CLI::Option* o) { return o->get_required() && o->count() == 0; })) {
      return {.code = "missing-argument",
              .message = fmt::format("'{}' needs {}", full_name(at),
                                     option->get_type_name() + " (" + option->get_description() + ")"),
              .hint = help};
    }
  }
  return {.code = "bad-option", .message = error.what(), .hint = help};
}

}  // namespace

Result<Parsed> parse_command_line(const std::vector<std::string>& words) {
  Tree tree;
  try {
    tree.app().parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    const CLI::App* at = reached(tree.app());
    return Parsed(at->help(at->get_parent() ? full_name(at->get_parent()) : ""));
  } catch (const CLI::CallForVersion& version) {
    return Parsed(std::string(version.what()) + "\n");
  } catch (const CLI::ParseError& error) {
    return diagnose(error, tree.app());
  } catch (const Error& error) {
    return error.diagnostics();
  }
  Arguments& arguments = tree.arguments();
  arguments.typed = "bouton";
  for (const std::string& word : words) arguments.typed += " " + shell_word(word);
  if (arguments.command == "completion" && !arguments.json)
    return Parsed(completion_script(tree.app(), arguments.shell));
  if (arguments.command == "completion") {
    return Parsed(nlohmann::ordered_json{{"command", "completion"},
                                         {"shell", arguments.shell},
                                         {"script", completion_script(tree.app(), arguments.shell)}}
                      .dump() +
                  "\n");
  }
  return Parsed(arguments);
}

}  // namespace bouton::app
