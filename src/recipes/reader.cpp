#include "recipes/reader.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "bouton/base/files.hpp"
#include "bouton/mechanisms/mechanisms.hpp"
#include "bouton/recipes/recipes.hpp"
#include "bouton/settings/recipe_files.hpp"
#include "recipes/constraint_keys.hpp"
#include "recipes/layer_keys.hpp"
#include "recipes/ranges.hpp"

namespace bouton::recipes {
using namespace settings;  // the reader is written in its words
namespace {

namespace fs = std::filesystem;

const Dimension seconds = find_unit("second")->dimension;

// ---------------------------------------------------------------------------------------------- the keys of each
// section

struct RootDraft : Recipe {
  std::optional<TomlValue> data_section, encoding_section, neurons_section, layers, readout_section, training_section;
};

Section<RootDraft> root_keys() {
  using D = RootDraft;
  return {
      key::text<D>("name", &D::name,
                   "what the recipe is called; runs and reports carry it. Without it, the file's name"),
      key::text<D>("description", &D::description, "one sentence for `bouton list`"),
      key::later<D>("data", &D::data_section, "section", "", "what is learned from: `[data]`"),
      key::later<D>("encoding", &D::encoding_section, "section", "", "how a sample becomes a current: `[encoding]`"),
      key::later<D>("neurons", &D::neurons_section, "sections", "", "the neurons the layers use: `[neurons.NAME]`"),
      key::required(
          key::later<D>("layer", &D::layers, "sections", "", "the layers from input to output: one `[[layer]]` each")),
      key::later<D>("readout", &D::readout_section, "section", "", "how the last layer becomes scores: `[readout]`"),
      key::later<D>("training", &D::training_section, "section", "", "how the weights are learned: `[training]`"),
  };
}

struct DataDraft {
  std::string set = "mnist";
  int64_t validation = 5000;
  double mean = 0, deviation = 1;
  std::optional<TomlValue> set_value, augment, sound, events, table, series, text;
};

Section<DataDraft> data_keys() {
  using D = DataDraft;
  Key<D> set = key::text<D>("set", &D::set,
                            "a known set (`bouton list data`) or a folder, relative to the recipe: of four IDX files, "
                            "of sounds or of events");
  set.read = [read = set.read](const TomlValue& value, D& target) {
    target.set_value = value;
    read(value, target);
  };
  return {
      set,
      key::integer<D>("validation", &D::validation, count_from(0),
                      "training samples set aside, the same share of each class, to choose the model by; the test set "
                      "is never used for that. 0: the last epoch's model is kept"),
      key::number<D>("mean", &D::mean, {}, "subtracted from each pixel, which counts from 0 to 1"),
      key::number<D>("deviation", &D::deviation, positive, "what pixels are divided by after that"),
      key::later<D>("sound", &D::sound, "table", "", "the folder holds spoken digits: `[data.sound]`"),
      key::later<D>("events", &D::events, "table", "",
                    "the folder holds events of a camera or a cochlea: `[data.events]`"),
      key::later<D>("table", &D::table, "table", "", "the folder holds a table, a sample a row: `[data.table]`"),
      key::later<D>("series", &D::series, "table", "",
                    "the folder holds series in time, to be forecast: `[data.series]`"),
      key::later<D>("text", &D::text, "table", "", "the folder holds texts: `[data.text]`"),
      key::later<D>("augment", &D::augment, "table", "", "random changes of the training images: `[data.augment]`"),
  };
}

template <typename T>
Key<T> duration_key(const char* name, double T::*member, const char* initial, const char* help) {
  return {{name, "quantity in second, greater than 0", initial, help}, [member](const TomlValue& value, T& target) {
            if (const auto v = value.quantity(seconds, positive)) target.*member = *v;
          }};
}

Section<data::SoundOptions> sound_keys() {
  using S = data::SoundOptions;
  return {duration_key<S>("frame", &S::frame, "\"10 ms\"", "what one row of the picture covers"),
          key::integer<S>("frames", &S::frames, count_from(1, 10000),
                          "rows; a longer recording is cut, a shorter one ends in silence"),
          key::integer<S>("bands", &S::bands, count_from(1, 1000), "gammatone filters, evenly spaced for the ear"),
          key::number<S>("lowest", &S::lowest, positive, "centre of the lowest band, Hz"),
          key::number<S>("highest", &S::highest, positive, "centre of the highest band, Hz"),
          key::number<S>("range", &S::range, positive, "dB from the loudest value of a recording down to 0"),
          key::text<S>("held_out", &S::held_out,
                       "a speaker whose recordings are the test set; without it, the official split")};
}

Section<data::EventOptions> events_keys() {
  using E = data::EventOptions;
  return {duration_key<E>("duration", &E::duration, "\"300 ms\"", "of a sample; later events are left out"),
          key::enumerator<E, data::EventFormat>(
              "format", &E::format, {{"nmnist", data::EventFormat::nmnist}, {"shd", data::EventFormat::shd}},
              "`nmnist`: a camera's, in Train/0..9 and Test/0..9; `shd`: a cochlea's, in shd_train.h5 and shd_test.h5"),
          key::integer<E>("bins", &E::bins, count_from(1, 10000), "stretches of time in which events are counted")};
}

template <typename T>
Key<T> text_list(const char* name, std::vector<std::string> T::*member, const char* initial, const char* help) {
  return {{name, "list of texts", initial, help}, [member](const TomlValue& value, T& target) {
            const auto list = value.list();
            if (!list) return;
            for (const TomlValue& entry : *list)
              if (const auto text = entry.text()) (target.*member).push_back(*text);
          }};
}

Section<data::TableOptions> table_keys() {
  using T = data::TableOptions;
  return {
      key::required(key::text<T>("file", &T::file, "in the folder: a header line, then a row a sample (CSV)")),
      key::required(key::text<T>("target", &T::target, "the column to be learned")),
      key::boolean<T>("numbers", &T::numbers, "whether that column is a number, not a class by name"),
      text_list<T>("leave", &T::leave, "none", "columns that are no inputs"),
      key::number<T>("test", &T::test, {.lower = 0, .upper = 1, .lower_open = true, .upper_open = true},
                     "part of the rows that is the test set"),
      key::number<T>("validation", &T::validation, below_one, "part of the rows to choose the model by"),
      key::enumerator<T, data::RowOrder>(
          "order", &T::order, {{"shuffled", data::RowOrder::shuffled}, {"as_it_stands", data::RowOrder::as_it_stands}},
          "`shuffled`: the parts are drawn from the seed; `as_it_stands`: the last rows are the test, as rows in time "
          "demand")};
}

void read_horizons(const TomlValue& value, data::SeriesOptions& series) {
  const auto list = value.list();
  if (!list) return;
  series.horizons.clear();
  for (const TomlValue& entry : *list) {
    const auto steps = entry.integer(count_from(1, 1e6));
    if (!steps) return;
    if (!series.horizons.empty() && *steps <= series.horizons.back())
      return entry.error("out-of-range", "the horizons must rise, one after another");
    series.horizons.push_back(*steps);
  }
  if (series.horizons.empty()) value.error("out-of-range", "at least one horizon is needed");
}

Section<data::SeriesOptions> series_keys() {
  using S = data::SeriesOptions;
  using F = data::Transform;
  return {
      key::required(key::text<S>("file", &S::file, "in the folder: a header line, then a row a step (CSV)")),
      text_list<S>("columns", &S::columns, "all that hold numbers", "the series"),
      key::integer<S>("window", &S::window, count_from(1, 1e6), "steps that are the input"),
      {{"horizons", "list of integers", "[1]", "steps after the window that are to be learned"}, read_horizons},
      key::number<S>("test", &S::test, {.lower = 0, .upper = 1, .lower_open = true, .upper_open = true},
                     "part of the time that is the test: its end"),
      key::number<S>("validation", &S::validation, below_one, "part of the time before that, to choose the model by"),
      key::enumerator<S, F>("transform", &S::transform,
                            {{"none", F::none}, {"log_return", F::log_return}, {"absolute_return", F::absolute_return}},
                            "`log_return`: per cent from step to step; `absolute_return`: its size"),
      key::boolean<S>("relative", &S::relative, "whether what is learned counts from the last value of the window"),
      key::text<S>("neighbours", &S::neighbours,
                   "in the folder: weights between the series, a row each, without header; a further input is the "
                   "weighted mean of a series' neighbours"),
      key::integer<S>("period", &S::period, count_from(0, 1e9),
                      "steps of a day or a year: two further inputs are its sine and cosine; 0: none"),
      key::number<S>("step", &S::step, not_negative, "of time, for the names of the horizons"),
      key::text<S>("step_unit", &S::step_unit, "of `step`"),
      key::text<S>("unit", &S::unit, "of the quantity")};
}

Section<data::TextOptions> text_keys() {
  using T = data::TextOptions;
  using F = data::TextFormat;
  return {key::enumerator<T, F>(
              "format", &T::format, {{"lines", F::lines}, {"intents", F::intents}, {"characters", F::characters}},
              "`lines`: a file a class, a text a line; `intents`: `train`, `valid` and `test`, each with `seq.in` and "
              "`label`; `characters`: one file, each of whose characters is foretold from those before it"),
          text_list<T>("files", &T::files, "none", "in the folder; the class is called as the file's name ends"),
          key::integer<T>("length", &T::length, count_from(1, 1e6),
                          "tokens; what is longer is cut, what is shorter ends in padding"),
          key::integer<T>("vocabulary", &T::vocabulary, count_from(3, 1 << 24),
                          "the most tokens told apart: 0 is padding, 1 an unknown word, then the most frequent first"),
          key::integer<T>("least", &T::least, count_from(1, 1e9),
                          "times a word must stand in the training texts to be known"),
          key::number<T>("test", &T::test, {.lower = 0, .upper = 1, .lower_open = true, .upper_open = true},
                         "part that is the test set: of `lines` drawn from the seed, of `characters` the end"),
          key::number<T>("validation", &T::validation, below_one, "part to choose the model by; not of `intents`")};
}

Section<data::Augmentation> augment_keys() {
  using A = data::Augmentation;
  return {
      key::number<A>("shift", &A::shift, {.lower = 0, .upper = 1000},
                     "pixels, drawn from [-shift, shift] for each axis"),
      key::number<A>("rotate", &A::rotate, {.lower = 0, .upper = 180}, "degrees, to either side"),
      key::number<A>("scale", &A::scale, below_one, "relative change of size, up or down"),
      key::number<A>("shear", &A::shear, {.lower = 0, .upper = 80}, "degrees, to either side"),
      key::number<A>("flip", &A::flip, fraction, "probability of a left-right mirror"),
      key::number<A>("noise", &A::noise, not_negative,
                     "standard deviation of Gaussian pixel noise, 1 being the full range"),
      key::integer<A>("cutout", &A::cutout, count_from(0, 1000), "side of a square set to zero, pixels"),
      key::number<A>("drop_events", &A::drop_events, fraction,
                     "of `[data.events]`: the largest part of the single events that is left out. Of the three `drop_` "
                     "keys given, a sample meets one, or none, each as often (Gu et al. 2021, "
                     "doi:10.24963/ijcai.2021/97)"),
      key::number<A>("drop_time", &A::drop_time, fraction,
                     "of `[data.events]`: the largest part of the duration, in one piece, that is left out"),
      key::number<A>("drop_area", &A::drop_area, fraction,
                     "of `[data.events]`: the largest part of the camera's area, or of the channels, that is left out"),
      key::integer<A>(
          "shift_time", &A::shift_time, count_from(0, 10000),
          "of recordings: rows everything is moved by, earlier or later, at most (here and in the next two, "
          "in the manner of Park et al. 2019, doi:10.21437/Interspeech.2019-2680)"),
      key::integer<A>("mask_time", &A::mask_time, count_from(0, 10000),
                      "of recordings: the longest stretch of rows set to zero"),
      key::integer<A>("mask_bands", &A::mask_bands, count_from(0, 100000),
                      "of recordings: the widest stretch of columns set to zero"),
  };
}

struct EncodingDraft : data::Encoder {
  int64_t steps = 1;
  double dt = 1e-3;
};

Section<EncodingDraft> encoding_keys() {
  using D = EncodingDraft;
  using K = data::EncoderKind;
  using P = data::RateProcess;
  using L = data::LatencyForm;
  return {
      key::enumerator<D, K>(
          "kind", &D::kind,
          {{"direct", K::direct},
           {"rate", K::rate},
           {"latency", K::latency},
           {"population", K::population},
           {"sequence", K::sequence}},
          "`direct`: the pixel is a constant current. `rate`: random spikes, the pixel being their probability in a "
          "step. `latency`: one spike, the brighter the earlier. `population`: graded cells with Gaussian tuning for "
          "each pixel, as constant currents. `sequence`: the pixels one after another in reading order, in `steps` "
          "portions: "
          "as many steps as pixels for one at a time, as rows for a row at a time"),
      key::integer<D>("steps", &D::steps, count_from(1, 100000), "time steps a sample is shown for"),
      {{"dt", "quantity in second, greater than 0", "\"1 ms\"", "length of a step"},
       [](const TomlValue& value, D& target) {
         if (const auto v = value.quantity(seconds, positive)) target.dt = *v;
       }},
      key::number<D>("gain", &D::gain, positive, "multiplies what enters the network"),
      key::enumerator<D, P>("process", &D::process, {{"bernoulli", P::bernoulli}, {"poisson", P::poisson}},
                            "of `rate`: no or one spike a step, or a count"),
      key::enumerator<D, L>("form", &D::latency, {{"linear", L::linear}, {"logarithmic", L::logarithmic}},
                            "of `latency`: linear in the pixel, or as an integrator of it would fire"),
      key::number<D>("threshold", &D::threshold, positive, "of `latency`: darker pixels stay silent"),
      key::number<D>("tau", &D::tau, positive, "of logarithmic `latency`, in steps"),
      key::integer<D>("fields", &D::fields, count_from(3, 1000), "of `population`: cells a pixel"),
      key::number<D>("lower", &D::lower, {}, "of `population`: the darkest pixel, after mean and deviation"),
      key::number<D>("upper", &D::upper, {}, "of `population`: the brightest"),
      key::number<D>("overlap", &D::overlap, positive, "of `population`: the larger, the narrower the tuning"),
  };
}

struct NeuronDraft {
  std::optional<TomlValue> mechanism, file, text, parameters, trainable, bounds, surrogate, input_unit, output;
  bool per_neuron = false, detach_reset = true;
  double spread = 1;
};

Section<NeuronDraft> neuron_keys() {
  using D = NeuronDraft;
  return {
      key::later<D>(
          "mechanism", &D::mechanism, "text", "",
          "a neuron of the catalogue (`bouton list mechanisms`); one of `mechanism`, `file`, `text` is required"),
      key::later<D>("file", &D::file, "text", "", "a `.mech` file, relative to the recipe"),
      key::later<D>("text", &D::text, "text", "", "the mechanism itself, between `'''`"),
      key::later<D>("parameters", &D::parameters, "table of quantities", "",
                    "values instead of the mechanism's defaults: `{ tau_m = \"10 ms\" }`"),
      key::later<D>("trainable", &D::trainable, "list of parameter names", "those the mechanism marks",
                    "parameters learned along with the weights; `[]`: none"),
      key::later<D>("bounds", &D::bounds, "table of [lower, upper]", "those the mechanism states",
                    "narrower intervals for trainable parameters, held while they are learned: `{ tau_m = [\"5 ms\", "
                    "\"30 ms\"] }`"),
      key::boolean<D>("per_neuron", &D::per_neuron,
                      "whether each neuron has trainable parameters of its own, or all share them"),
      key::number<D>("spread", &D::spread, {.lower = 1},
                     "with `per_neuron`: each neuron's trainable parameters start between 1/spread and spread times "
                     "their value, drawn evenly on a logarithmic scale (Perez-Nieves et al. 2021, "
                     "doi:10.1038/s41467-021-26022-3)"),
      key::later<D>("surrogate", &D::surrogate, "table", "the mechanism's",
                    "the derivative used for a spike: `[neurons.NAME.surrogate]`"),
      key::boolean<D>("detach_reset", &D::detach_reset, "whether the reset carries no gradient"),
      key::later<D>("output", &D::output, "text", "the spike, or the mechanism's `output`",
                    "a state to give out instead, such as the membrane voltage of a read-out layer"),
      key::later<D>("input_unit", &D::input_unit, "quantity, or table of them by input",
                    "the mechanism's `in units of`",
                    "what 1 of the signal from the layer before stands for: `\"200 pA\"`"),
  };
}

struct SurrogateDraft {
  std::optional<TomlValue> kind, width, height;
};

const std::vector<std::pair<std::string, SurrogateKind>>& surrogate_kinds() {
  static const std::vector<std::pair<std::string, SurrogateKind>> kinds = {
      {"fast_sigmoid", SurrogateKind::fast_sigmoid},
      {"arctan", SurrogateKind::arctan},
      {"triangle", SurrogateKind::triangle},
      {"boxcar", SurrogateKind::boxcar},
      {"gaussian", SurrogateKind::gaussian}};
  return kinds;
}

std::vector<std::string> surrogate_names() {
  std::vector<std::string> names;
  for (const auto& [name, kind] : surrogate_kinds()) names.push_back(name);
  return names;
}

Section<SurrogateDraft> surrogate_keys() {
  using D = SurrogateDraft;
  return {
      key::later<D>("kind", &D::kind, key::choices_text(surrogate_names()), "the mechanism's", "its shape"),
      key::later<D>("width", &D::width, "quantity of the threshold's dimension, greater than 0", "the mechanism's",
                    "its width"),
      key::later<D>("height", &D::height, "number, greater than 0", "such that it integrates to one",
                    "its value at the threshold, per SI unit of the threshold"),
  };
}

struct ReadoutDraft {
  learn::Readout kind = learn::Readout::mean_output;
};

Section<ReadoutDraft> readout_keys() {
  using R = learn::Readout;
  return {key::enumerator<ReadoutDraft, R>("kind", &ReadoutDraft::kind,
                                           {{"spike_count", R::spike_count},
                                            {"mean_output", R::mean_output},
                                            {"max_output", R::max_output},
                                            {"last_output", R::last_output},
                                            {"each_step", R::each_step},
                                            {"each_position", R::each_position}},
                                           "how the last layer's output over time becomes one score a class: its sum, "
                                           "mean, maximum, or value at the last step. `each_step`: scores at every "
                                           "step, to tag or to predict what comes next. `each_position`: an image of "
                                           "scores a class, its mean over time, to segment")};
}

Key<Training> rates_key() {
  return {{"rates", "table of numbers, greater than 0", "1 for all",
           "factors of the learning rate, named as in `freeze`: `{ conv = 0.1 }`"},
          [](const TomlValue& value, Training& training) {
            const auto entries = value.entries();
            if (!entries) return;
            for (const auto& [name, factor] : *entries) {
              if (const auto number = factor.number(positive)) training.rates[name] = *number;
            }
          }};
}

void read_class_weights(const TomlValue& value, Training& training) {
  if (value.node().is_string()) {
    training.balanced = value.choice({"balanced"}).has_value();
    return;
  }
  const auto list = value.list();
  if (!list) return;
  for (const TomlValue& entry : *list) {
    if (const auto weight = entry.number(not_negative)) training.class_weights.push_back(*weight);
  }
}

Key<Training> class_weights_key() {
  return {{"class_weights", "`\"balanced\"` or list of numbers", "all the same",
           "what a sample counts in the loss, by its class. `balanced`: samples / (classes * samples of the class)"},
          read_class_weights};
}

Section<Training> training_keys() {
  using T = Training;
  using L = learn::LearningRule;
  using F = learn::FeedbackKind;
  return {
      key::enumerator<T, L>("rule", &T::rule,
                            {{"bptt", L::bptt},
                             {"eprop", L::eprop},
                             {"ottt", L::ottt},
                             {"eventprop", L::eventprop},
                             {"feedback_alignment", L::feedback_alignment},
                             {"direct_feedback_alignment", L::direct_feedback_alignment}},
                            "how a batch becomes a gradient: see [learning-rules.md](learning-rules.md)"),
      key::enumerator<T, F>("feedback", &T::feedback, {{"symmetric", F::symmetric}, {"random", F::random}},
                            "of the rules `eprop` and `ottt`: the error reaches the layers through the forward "
                            "weights, or through fixed random ones from the read-out"),
      key::integer<T>("epochs", &T::epochs, count_from(1, 1e6), "passes over the training set"),
      key::integer<T>("batch", &T::batch, count_from(1, 1e6), "samples per step"),
      key::choice<T>("optimiser", &T::optimiser, {"sgd", "adam", "adamw"},
                     "`adamw` decays weights apart from the gradient"),
      key::number<T>("learning_rate", &T::learning_rate, positive, "the highest rate of the schedule"),
      key::number<T>("momentum", &T::momentum, below_one, "of `sgd`; of the first moment in `adam` and `adamw`"),
      key::number<T>("beta2", &T::beta2, below_one, "of the second moment in `adam` and `adamw`"),
      key::number<T>("weight_decay", &T::weight_decay, not_negative,
                     "L2; of weights, not of biases, normalisation or neuron parameters"),
      key::choice<T>("schedule", &T::schedule, {"constant", "cosine", "one_cycle", "step", "exponential"},
                     "how the rate moves, step by step, after the warm-up. `one_cycle` rises over 0.3 of the run "
                     "unless `warmup` says otherwise, then falls along a cosine"),
      key::number<T>("warmup", &T::warmup, below_one, "part of the run in which the rate rises to `learning_rate`"),
      key::number<T>("decay", &T::decay, {.lower = 0, .upper = 1},
                     "`cosine`, `one_cycle`: the last rate as a part of the highest; `step`: the factor every "
                     "`decay_epochs`, 0 for 0.1; `exponential`: the factor an epoch, 0 for 0.9"),
      key::integer<T>("decay_epochs", &T::decay_epochs, count_from(1, 1e6),
                      "epochs between two reductions of the schedule `step`"),
      key::choice<T>(
          "loss", &T::loss, {"cross_entropy", "mse", "mae", "huber"},
          "on the read-out. Of classes `cross_entropy`, which is the default, or `mse` against 1 for the true "
          "class and 0 for the others; of numbers `mse`, the default, `mae` or `huber`"),
      class_weights_key(),
      key::text<T>("choose_by", &T::choose_by,
                   "the figure of the validation set by which the model is chosen, such as `auc`. Without it the "
                   "accuracy where each sample has a class, else the loss"),
      key::number<T>("label_smoothing", &T::label_smoothing, below_one, "part of the target spread over all classes"),
      key::number<T>("rate_weight", &T::rate_weight, not_negative,
                     "weight of the activity penalty, (rate - rate_target)^2 per layer"),
      key::number<T>("rate_target", &T::rate_target, not_negative, "wanted mean output per neuron and step"),
      key::number<T>("gradient_clip", &T::gradient_clip, not_negative,
                     "largest norm of the whole gradient; 0: not clipped"),
      key::number<T>("average", &T::average, below_one,
                     "decay per step of a moving average of the weights, which then is the model; 0: none"),
      key::integer<T>("patience", &T::patience, count_from(0, 1e6),
                      "epochs without a better validation accuracy before training ends; 0: never"),
      key::seed<T>("seed", &T::seed,
                   "of initial weights, order, augmentation, noise; the same seed gives the same bits"),
      key::integer<T>("slices", &T::slices, count_from(0, 1e4),
                      "parts a batch is computed in, one after another or on as many processes; their gradients are "
                      "added in order. 0: as many as there are processes"),
      key::text<T>("from", &T::from,
                   "a model, or the folder of a run, relative to the recipe, whose layers of the same name and shape "
                   "are what training begins with"),
      text_list<T>(
          "anew", &T::anew, "[]",
          "layers that are not taken though they would fit, named as in `freeze`: the last one, where its classes "
          "mean something else. Of `from` and `--from`"),
      text_list<T>(
          "freeze", &T::freeze, "[]",
          "what stays as it is: layers (`conv1`), single tensors (`conv1.bias`) or how their names begin (`conv`). "
          "Normalisation that is frozen uses its statistics instead of the batch's and leaves them as they are"),
      rates_key(),
  };
}

// ------------------------------------------------------------------------------------------------------------ the
// reader

std::string quoted_mechanism(const std::string& text) {
  const bool literal =
      text.find("'''") == std::string::npos && text.find('\r') == std::string::npos && !text.ends_with('\'');
  if (literal) return "text = '''\n" + text + "'''";
  std::string out = "text = \"\"\"\n";
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\r')
      out += "\\r";
    else
      out += c;
  }
  return out + "\"\"\"";
}

class RecipeReader {
 public:
  RecipeReader(const SourceText& source, fs::path folder) : document_(source), folder_(std::move(folder)) {}

  Result<Recipe> read() {
    if (!document_.ok()) return document_.errors();
    read_section(document_, document_.root(), "", Span{0, 0}, root_keys(), draft_);
    read_data();
    read_encoding();
    read_neurons();
    read_layers();
    read_readout();
    read_training();
    if (!document_.ok()) return document_.errors();
    Recipe recipe = std::move(static_cast<Recipe&>(draft_));
    recipe.text = edited_text();
    return recipe;
  }

 private:
  // Reads one table-valued key with its section; a wrong type is reported.
  template <typename T>
  bool read_table(const std::optional<TomlValue>& value, const Section<T>& section, T& target) {
    if (!value) return false;
    const toml::table* table = value->table();
    if (table == nullptr) return false;
    read_section(document_, *table, value->path(), value->key_span(), section, target);
    return true;
  }

  void read_data() {
    DataDraft data;
    read_table(draft_.data_section, data_keys(), data);
    augment_ = data.augment;
    if (read_table(data.augment, augment_keys(), draft_.augmentation)) {
      for (const char* name : {"drop_events", "drop_time", "drop_area"})
        idle(*data.augment, name, data.events.has_value(), "unless the data are events: [data.events]");
    }
    draft_.data = data.set;
    draft_.validation = data.validation;
    draft_.scaling = {.mean = data.mean, .deviation = data.deviation};
    if (data.sound) {
      draft_.sound.emplace();
      read_table(data.sound, sound_keys(), *draft_.sound);
      if (draft_.sound->highest <= draft_.sound->lowest)
        data.sound->error("out-of-range", "'data.sound.highest' must be greater than 'data.sound.lowest'");
    }
    if (data.events) {
      draft_.events.emplace();
      read_table(data.events, events_keys(), *draft_.events);
      if (data.sound)
        data.events->error("conflicting-keys", "a set holds sounds or events, not both", "leave one of them out");
    }
    if (data.table) read_table(data.table, table_keys(), draft_.table.emplace());
    if (data.series) read_table(data.series, series_keys(), draft_.series.emplace());
    if (data.text) read_text(*data.text);
    if (data.table && data.series)
      data.series->error("conflicting-keys", "a set is a table or series, not both", "leave one of them out");
    if (data.set_value) resolve_set(*data.set_value, data.set);
  }

  void read_text(const TomlValue& value) {
    data::TextOptions& text = draft_.words.emplace();
    if (!read_table(std::optional(value), text_keys(), text)) return;
    const std::size_t files = text.files.size();
    if (text.format == data::TextFormat::lines && files < 2)
      value.error("missing-key", "'data.text.files' must name a file for each class, two at least");
    if (text.format == data::TextFormat::characters && files != 1)
      value.error("missing-key", "'data.text.files' must name the one file whose characters are foretold");
    idle(value, "files", text.format != data::TextFormat::intents,
         "with format = \"intents\", whose files have fixed names");
  }

  // A name must be known; anything that looks like a folder is taken relative to the recipe.
  void resolve_set(const TomlValue& value, const std::string& set) {
    std::vector<std::string> names;
    for (const data::SetDescription& known : data::known_sets()) names.push_back(known.name);
    if (std::find(names.begin(), names.end(), set) != names.end()) return;
    const fs::path folder = folder_ / set;
    std::error_code ignored;
    if (set.find('/') == std::string::npos && !fs::is_directory(folder, ignored)) {
      return value.error("unknown-set",
                         "there is no data set '" + set + "', nor a folder of that name beside the recipe",
                         hint_for(set, names));
    }
    draft_.data = fs::absolute(folder).lexically_normal().string();
    edits_.push_back({value.span(), '"' + escaped(draft_.data) + '"'});
  }

  static std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out;
  }

  void read_encoding() {
    EncodingDraft encoding;
    if (read_table(draft_.encoding_section, encoding_keys(), encoding)) check_encoding(encoding);
    if (augment_ && augment_->node().is_table()) {
      const bool recording = draft_.sound || draft_.events || encoding.kind == data::EncoderKind::sequence;
      for (const char* name : {"shift_time", "mask_time", "mask_bands"})
        idle(*augment_, name, recording,
             "unless the samples are recordings: [data.sound], [data.events] or [encoding] kind = \"sequence\"");
    }
    draft_.encoding = encoding;
    draft_.network.steps = encoding.steps;
    dt_ = encoding.dt;
  }

  void check_encoding(const EncodingDraft& e) {
    using K = data::EncoderKind;
    idle(*draft_.encoding_section, "process", e.kind == K::rate, "unless kind = \"rate\"");
    idle(*draft_.encoding_section, "form", e.kind == K::latency, "unless kind = \"latency\"");
    idle(*draft_.encoding_section, "threshold", e.kind == K::latency, "unless kind = \"latency\"");
    idle(*draft_.encoding_section, "tau", e.kind == K::latency && e.latency == data::LatencyForm::logarithmic,
         "unless kind = \"latency\" and form = \"logarithmic\"");
    for (const char* name : {"fields", "lower", "upper", "overlap"}) {
      idle(*draft_.encoding_section, name, e.kind == K::population, "unless kind = \"population\"");
    }
    if (e.upper <= e.lower) {
      document_.error(draft_.encoding_section->key_span(), "out-of-range",
                      "'encoding.upper' must be greater than 'encoding.lower'");
    }
  }

  void read_readout() {
    ReadoutDraft readout;
    read_table(draft_.readout_section, readout_keys(), readout);
    draft_.network.readout = readout.kind;
  }

  void read_training() {
    Training& t = draft_.training;
    if (!read_table(draft_.training_section, training_keys(), t)) return;
    const bool online = t.rule == learn::LearningRule::eprop || t.rule == learn::LearningRule::ottt;
    idle(*draft_.training_section, "feedback", online, "with a rule other than 'eprop' and 'ottt'");
    idle(*draft_.training_section, "rate_weight", t.rule == learn::LearningRule::bptt, "with a rule other than 'bptt'");
    idle(*draft_.training_section, "beta2", t.optimiser != "sgd", "with the optimiser 'sgd'");
    idle(*draft_.training_section, "decay", t.schedule != "constant", "with the schedule 'constant'");
    idle(*draft_.training_section, "decay_epochs", t.schedule == "step",
         "with the schedule '" + t.schedule + "'; it belongs to 'step'");
    if (!t.from.empty()) {
      const auto entry = draft_.training_section->table()->find("from");
      const TomlValue value(document_, entry->second, "training.from", document_.span(entry->first.source()));
      t.from = fs::absolute(folder_ / t.from).lexically_normal().string();
      edits_.push_back({value.span(), '"' + escaped(t.from) + '"'});
    }
    idle(*draft_.training_section, "rate_target", t.rate_weight > 0, "while 'rate_weight' is 0");
  }

  // ---- neurons

  void read_neurons() {
    if (!draft_.neurons_section) return;
    const toml::table* table = draft_.neurons_section->table();
    if (table == nullptr) return;
    for (auto&& [name, node] : *table) {
      const std::string key(name.str());
      const TomlValue value(document_, node, "neurons." + key, document_.span(name.source()));
      neuron_names_.push_back(key);
      NeuronDraft draft;
      if (!read_table(std::optional(value), neuron_keys(), draft)) continue;
      if (auto options = neuron_options(value, draft)) neurons_.emplace(key, std::move(*options));
    }
  }

  std::optional<learn::NeuronsOptions> neuron_options(const TomlValue& section, const NeuronDraft& draft) {
    const auto mechanism = neuron_mechanism(section, draft);
    if (!mechanism) return std::nullopt;
    learn::NeuronsOptions options;
    options.mechanism = mechanism;
    options.per_neuron = draft.per_neuron;
    options.spread = draft.spread;
    idle(section, "spread", draft.per_neuron, "unless per_neuron = true");
    options.detach_reset = draft.detach_reset;
    const Mechanism& m = mechanism->mechanism();
    if (draft.parameters) read_parameters(*draft.parameters, m, options);
    if (draft.trainable) read_trainable(*draft.trainable, m, options);
    if (draft.bounds) read_parameter_bounds(*draft.bounds, m, options);
    if (draft.surrogate) read_surrogate(*draft.surrogate, m, options);
    if (draft.output) read_output(*draft.output, m, options);
    if (draft.input_unit) read_input_unit(*draft.input_unit, m, options);
    return options;
  }

  MechanismPtr neuron_mechanism(const TomlValue& section, const NeuronDraft& draft) {
    const int given = int(draft.mechanism.has_value()) + int(draft.file.has_value()) + int(draft.text.has_value());
    if (given != 1) {
      document_.error(section.key_span(), given == 0 ? "missing-key" : "conflicting-keys",
                      "'" + section.path() + "' needs " + (given == 0 ? "one of" : "only one of") +
                          " 'mechanism', 'file' and 'text'");
      return nullptr;
    }
    if (draft.mechanism) return catalogue_mechanism(*draft.mechanism);
    if (draft.file) return file_mechanism(*draft.file);
    return inline_mechanism(*draft.text);
  }

  static const CatalogueEntry* catalogue_entry(const std::string& name) {
    for (const CatalogueEntry& entry : catalogue()) {
      if (entry.name == name) return &entry;
    }
    return nullptr;
  }

  static std::vector<std::string> catalogue_names() {
    std::vector<std::string> names;
    for (const CatalogueEntry& entry : catalogue()) names.push_back(entry.name);
    return names;
  }

  MechanismPtr catalogue_mechanism(const TomlValue& value) {
    const auto name = value.text();
    if (!name) return nullptr;
    const CatalogueEntry* entry = catalogue_entry(*name);
    if (entry == nullptr) {
      value.error("unknown-mechanism", "the catalogue has no neuron '" + *name + "'",
                  hint_for(*name, catalogue_names()));
      return nullptr;
    }
    edits_.push_back({{value.key_span().begin, value.span().end}, quoted_mechanism(entry->text)});
    return take(load_mechanism(*name));
  }

  MechanismPtr file_mechanism(const TomlValue& value) {
    const auto name = value.text();
    if (!name) return nullptr;
    const fs::path path = folder_ / *name;
    auto text = read_file(path, 1 << 20);
    if (!text.ok()) {
      for (const Diagnostic& d : text.diagnostics())
        value.error(d.code, "the mechanism file '" + *name + "' cannot be read: " + d.message, d.hint);
      return nullptr;
    }
    edits_.push_back({{value.key_span().begin, value.span().end}, quoted_mechanism(text.value())});
    return take(load_mechanism_text({path.lexically_normal().string(), text.value()}));
  }

  // Errors in an inline mechanism point into the recipe: blank lines before the text stand for the lines above it.
  MechanismPtr inline_mechanism(const TomlValue& value) {
    const auto text = value.text();
    if (!text) return nullptr;
    SourceText source{document_.source().name, *text};
    if (const auto begin = value.verbatim_begin()) {
      const std::string& whole = document_.source().text;
      source.text.insert(0,
                         static_cast<std::size_t>(
                             std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(*begin), '\n')),
                         '\n');
    } else {
      source.name += " (" + value.path() + ")";
    }
    return take(load_mechanism_text(source));
  }

  MechanismPtr take(Result<MechanismPtr> mechanism) {
    if (mechanism.ok()) return mechanism.value();
    document_.error(mechanism.diagnostics());
    return nullptr;
  }

  template <typename List>
  static std::vector<std::string> names_of(const List& list) {
    std::vector<std::string> names;
    for (const auto& item : list) names.push_back(item.name);
    return names;
  }

  static const Parameter* find_parameter(const Mechanism& m, const std::string& name) {
    for (const Parameter& p : m.parameters) {
      if (p.name == name) return &p;
    }
    return nullptr;
  }

  void read_parameters(const TomlValue& section, const Mechanism& m, learn::NeuronsOptions& options) {
    const toml::table* table = section.table();
    if (table == nullptr) return;
    for (auto&& [name, node] : *table) {
      const std::string key(name.str());
      const TomlValue value(document_, node, section.path() + "." + key, document_.span(name.source()));
      const Parameter* parameter = find_parameter(m, key);
      if (parameter == nullptr) {
        document_.error(value.key_span(), "unknown-parameter",
                        "the neuron '" + m.name + "' has no parameter '" + key + "'",
                        hint_for(key, names_of(m.parameters)));
        continue;
      }
      const auto quantity = value.quantity(parameter->dimension);
      if (!quantity) continue;
      const bool low = parameter->lower_open ? *quantity <= parameter->lower : *quantity < parameter->lower;
      const bool high = parameter->upper_open ? *quantity >= parameter->upper : *quantity > parameter->upper;
      if (low || high) {
        value.error("out-of-range", "'" + key + "' of the neuron '" + m.name + "' must lie in " +
                                        interval_text(*parameter) + ", not at " +
                                        format_quantity(*quantity, parameter->dimension));
        continue;
      }
      options.parameters[key] = *quantity;
    }
  }

  void read_parameter_bounds(const TomlValue& section, const Mechanism& m, learn::NeuronsOptions& options) {
    const auto entries = section.entries();
    if (!entries) return;
    for (const auto& [key, value] : *entries) {
      const Parameter* parameter = find_parameter(m, key);
      if (parameter == nullptr) {
        document_.error(value.key_span(), "unknown-parameter",
                        "the neuron '" + m.name + "' has no parameter '" + key + "'",
                        hint_for(key, names_of(m.parameters)));
        continue;
      }
      const bool learned = options.trainable ? std::find(options.trainable->begin(), options.trainable->end(), key) !=
                                                   options.trainable->end()
                                             : parameter->trainable;
      if (!learned) {
        document_.error(value.key_span(), "option-without-effect",
                        "'" + value.path() + "' changes nothing: the parameter is not learned",
                        "name it in 'trainable'");
        continue;
      }
      const auto ends = value.list();
      if (!ends) continue;
      if (ends->size() != 2) {
        value.error("wrong-length", "'" + value.path() + "' must be two quantities, [lower, upper]");
        continue;
      }
      const auto lower = (*ends)[0].quantity(parameter->dimension), upper = (*ends)[1].quantity(parameter->dimension);
      if (!lower || !upper) continue;
      if (*lower > *upper || *lower < parameter->lower || *upper > parameter->upper) {
        value.error("out-of-range", "the bounds of '" + key + "' must be an interval within " +
                                        interval_text(*parameter) + ", which the neuron '" + m.name + "' states");
        continue;
      }
      const auto given = options.parameters.find(key);
      const double start = given == options.parameters.end() ? parameter->value : given->second;
      if (start < *lower || start > *upper) {
        value.error("out-of-range",
                    "'" + key + "' starts at " + format_quantity(start, parameter->dimension) + ", outside its bounds",
                    "give it another start in 'parameters'");
        continue;
      }
      options.bounds[key] = {*lower, *upper};
    }
  }

  static std::string interval_text(const Parameter& p) {
    const auto end = [&](double value, const char* infinite) {
      return std::abs(value) >= 1e308 ? std::string(infinite) : format_quantity(value, p.dimension);
    };
    return (p.lower_open ? "(" : "[") + end(p.lower, "-inf") + ", " + end(p.upper, "inf") + (p.upper_open ? ")" : "]");
  }

  void read_trainable(const TomlValue& section, const Mechanism& m, learn::NeuronsOptions& options) {
    const auto list = section.list();
    if (!list) return;
    options.trainable.emplace();
    for (const TomlValue& value : *list) {
      const auto name = value.text();
      if (!name) continue;
      if (find_parameter(m, *name) == nullptr) {
        value.error("unknown-parameter", "the neuron '" + m.name + "' has no parameter '" + *name + "'",
                    hint_for(*name, names_of(m.parameters)));
        continue;
      }
      options.trainable->push_back(*name);
    }
  }

  void read_surrogate(const TomlValue& section, const Mechanism& m, learn::NeuronsOptions& options) {
    SurrogateDraft draft;
    if (!read_table(std::optional(section), surrogate_keys(), draft)) return;
    if (!m.spike) {
      return document_.error(section.key_span(), "option-without-effect",
                             "'" + section.path() + "' changes nothing: the neuron '" + m.name + "' does not spike");
    }
    if (draft.kind) {
      const auto chosen = draft.kind->choice(surrogate_names());
      for (const auto& [name, kind] : surrogate_kinds()) {
        if (chosen && name == *chosen) options.surrogate.kind = kind;
      }
    }
    if (draft.width) options.surrogate.width = draft.width->quantity(m.spike->margin->dimension, positive);
    if (draft.height) options.surrogate.height = draft.height->number(positive);
  }

  void read_output(const TomlValue& value, const Mechanism& m, learn::NeuronsOptions& options) {
    const auto name = value.text();
    if (!name) return;
    const std::vector<std::string> states = names_of(m.states);
    if (std::find(states.begin(), states.end(), *name) == states.end()) {
      return value.error("unknown-state", "the neuron '" + m.name + "' has no state '" + *name + "'",
                         hint_for(*name, states));
    }
    options.output = *name;
  }

  void read_input_unit(const TomlValue& section, const Mechanism& m, learn::NeuronsOptions& options) {
    const auto read_one = [&](const TomlValue& value, const Input& input) {
      if (const auto scale = value.quantity(input.dimension)) options.input_scale[input.name] = *scale;
    };
    if (!section.node().is_table()) {
      if (m.inputs.size() == 1) return read_one(section, m.inputs.front());
      return section.error(
          "ambiguous-input",
          "the neuron '" + m.name + "' has " + std::to_string(m.inputs.size()) + " inputs: name the one meant",
          "as in input_unit = { I = \"200 pA\" }");
    }
    for (auto&& [name, node] : *section.table()) {
      const std::string key(name.str());
      const TomlValue value(document_, node, section.path() + "." + key, document_.span(name.source()));
      const auto input = std::find_if(m.inputs.begin(), m.inputs.end(), [&](const Input& i) { return i.name == key; });
      if (input == m.inputs.end()) {
        document_.error(value.key_span(), "unknown-input", "the neuron '" + m.name + "' has no input '" + key + "'",
                        hint_for(key, names_of(m.inputs)));
      } else {
        read_one(value, *input);
      }
    }
  }

  // ---- layers

  void read_layers() {
    if (!draft_.layers) return;
    const auto list = draft_.layers->list();
    if (!list) return;
    for (const TomlValue& value : *list) read_layer(value);
    // A neuron that no layer uses is a slip, most likely in a layer's `neurons`.
    for (const auto& [name, options] : neurons_) {
      if (document_.ok() && !used_.contains(name)) {
        const auto& table = *draft_.neurons_section->node().as_table();
        document_.error(document_.span(table.find(name)->first.source()), "option-without-effect",
                        "no layer uses the neurons '" + name + "'");
      }
    }
  }

  void read_layer(const TomlValue& value) {
    const toml::table* table = value.table();
    if (table == nullptr) return;
    const Span header = document_.span(value.node().source());
    const auto entry = table->find("kind");
    if (entry == table->end()) {
      return document_.error(header, "missing-key", "'" + value.path() + ".kind' is missing: the kind of layer",
                             hint_for("", layer_kinds()));
    }
    const TomlValue kind_value(document_, entry->second, value.path() + ".kind", document_.span(entry->first.source()));
    const auto name = kind_value.choice(layer_kinds());
    if (!name) return;
    const LayerKind& kind = layer_kind(*name);
    std::optional<learn::LayerSpec> layer = kind.read ? kind.read(value, layer_files()) : neuron_layer(value, kind);
    if (!layer) return;
    if (const std::string& given = learn::name_of(*layer); !given.empty()) check_layer_name(*table, given);
    draft_.network.layers.push_back(std::move(*layer));
  }

  std::optional<learn::LayerSpec> neuron_layer(const TomlValue& value, const LayerKind& kind) {
    NeuronLayerDraft layer;
    read_section(document_, *value.table(), value.path(), document_.span(value.node().source()),
                 kind.neuron_keys(layer_files()), layer);
    const auto options = layer_neurons(layer);
    if (!options) return std::nullopt;
    if (kind.name == "neurons") return learn::NeuronsSpec{.options = *options, .name = layer.name};
    return learn::RecurrentSpec{.options = *options,
                                .name = layer.name,
                                .initialisation = layer.initialisation,
                                .truncate = layer.truncate,
                                .constraints = layer.constraints};
  }

  LayerFiles layer_files() { return {folder_, &edits_}; }

  void check_layer_name(const toml::table& table, const std::string& name) {
    const Span where = document_.span(table.find("name")->second.source());
    if (name.find_first_of("./ \t\n") != std::string::npos) {
      return document_.error(where, "bad-name", "a layer's name must not contain '.', '/' or blanks",
                             "as in \"first_hidden\"");
    }
    if (!layer_names_.insert(name).second) {
      document_.error(where, "duplicate-name", "two layers are called '" + name + "'", "give one of them another name");
    }
  }

  std::optional<learn::NeuronsOptions> layer_neurons(const NeuronLayerDraft& layer) {
    if (!layer.neurons) return std::nullopt;
    const auto name = layer.neurons->text();
    if (!name) return std::nullopt;
    used_.insert(*name);
    if (const auto own = neurons_.find(*name); own != neurons_.end()) return with_dt(own->second);
    if (std::find(neuron_names_.begin(), neuron_names_.end(), *name) != neuron_names_.end())
      return std::nullopt;  // its own error stands
    if (const CatalogueEntry* entry = catalogue_entry(*name)) {
      if (const auto mechanism = take(load_mechanism(*name))) {
        neurons_[*name].mechanism = mechanism;
        appended_ += "\n[neurons." + *name + "]\n" + quoted_mechanism(entry->text) + "\n";
        return with_dt(neurons_.at(*name));
      }
      return std::nullopt;
    }
    std::vector<std::string> known = neuron_names_;
    for (std::string& n : catalogue_names()) known.push_back(std::move(n));
    layer.neurons->error("unknown-neurons",
                         "there is no section [neurons." + *name + "], and the catalogue has no neuron '" + *name + "'",
                         hint_for(*name, known));
    return std::nullopt;
  }

  learn::NeuronsOptions with_dt(learn::NeuronsOptions options) const {
    options.dt = dt_;
    return options;
  }

  std::string edited_text() {
    std::string text = document_.source().text;
    std::sort(edits_.begin(), edits_.end(), [](const Edit& a, const Edit& b) { return a.span.begin > b.span.begin; });
    for (const Edit& edit : edits_) text.replace(edit.span.begin, edit.span.end - edit.span.begin, edit.text);
    return text + appended_;
  }

  TomlDocument document_;
  fs::path folder_;
  RootDraft draft_;
  std::optional<TomlValue> augment_;
  double dt_ = 1e-3;
  std::map<std::string, learn::NeuronsOptions> neurons_;
  std::vector<std::string> neuron_names_;
  std::set<std::string> used_, layer_names_;
  std::vector<Edit> edits_;
  std::string appended_;
};

}  // namespace

std::vector<SectionDescription> recipe_sections() {
  std::vector<SectionDescription> s;
  describe(s, "Top level", "The file itself.", root_keys());
  describe(s, "[data]", "What is learned from.", data_keys());
  describe(s, "[data.sound]", "How a recording becomes a picture of time and frequency.", sound_keys());
  describe(s, "[data.events]", "How events become counts.", events_keys());
  describe(
      s, "[data.table]",
      "A sample a row of a table. Inputs are standardised over the training rows; `[data] validation` is not used.",
      table_keys());
  describe(
      s, "[data.series]",
      "Series in time, forecast walk-forward: training, validation and test are three stretches, one after another, "
      "and no sample reaches from one into the next. With `[encoding] kind = \"sequence\"` and `steps` as many as "
      "`window`, the window is shown a step at a time.",
      series_keys());
  describe(
      s, "[data.text]",
      "Texts as sequences of tokens, a step each: with `[encoding] kind = \"sequence\"`, `steps` as many as `length`, "
      "and an `embedding` first.",
      text_keys());
  describe(s, "[data.augment]",
           "Random changes of the training images, drawn anew each epoch. All are off unless given.", augment_keys());
  describe(s, "[encoding]", "How a sample becomes the network's input over time.", encoding_keys());
  describe(s, "[neurons.NAME]", "A neuron the layers may use, under a name of your choice.", neuron_keys());
  describe(s, "[neurons.NAME.surrogate]", "The derivative that stands for that of the step at the threshold.",
           surrogate_keys());
  describe_layers(s);
  describe_mask(s);
  describe(s, "[readout]", "How the last layer becomes scores.", readout_keys());
  describe(s, "[training]", "How the weights are learned.", training_keys());
  return s;
}

std::string recipe_reference() { return reference_text(recipe_sections()); }

Result<Recipe> parse_recipe(const SourceText& toml, const fs::path& folder) {
  return RecipeReader(toml, folder).read();
}

Result<Recipe> load_recipe(const std::string& name_or_path) {
  const auto opened = open_recipe(name_or_path, RecipeKind::training);
  if (!opened.ok()) return opened.diagnostics();
  const fs::path& path = opened.value().file;
  auto recipe = parse_recipe({path.string(), opened.value().text}, path.parent_path());
  if (!recipe.ok()) return recipe;
  recipe.value().file = path;
  if (recipe.value().name.empty()) recipe.value().name = path.stem().string();
  return recipe;
}

}  // namespace bouton::recipes
