#include "bouton/exchange/shd.hpp"

#include <cmath>

#include "base/about_path.hpp"
#include "exchange/hdf5.hpp"

namespace bouton::exchange {
namespace {

namespace fs = std::filesystem;

constexpr int64_t units = 700;
constexpr uint64_t most_samples = 1 << 20;

// Lists of numbers, one a sample, as HDF5 keeps them.
class Lists {
 public:
  Lists(hid_t file, const char* name)
      : dataset_(open_dataset(file, name)),
        space_(H5Dget_space(dataset_.id()), H5Sclose, "the lists' shape"),
        type_(H5Tvlen_create(H5T_NATIVE_FLOAT), H5Tclose, "the lists' type") {
    const hssize_t count = H5Sget_simple_extent_npoints(space_.id());
    if (count < 0 || static_cast<uint64_t>(count) > most_samples) throw_problem(name, "has too many samples");
    lists_.resize(static_cast<std::size_t>(count));
    if (H5Dread(dataset_.id(), type_.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, lists_.data()) < 0)
      throw_problem(name, "is no list of numbers for each sample");
  }
  ~Lists() { H5Dvlen_reclaim(type_.id(), space_.id(), H5P_DEFAULT, lists_.data()); }
  Lists(const Lists&) = delete;
  Lists& operator=(const Lists&) = delete;

  [[nodiscard]] std::size_t count() const { return lists_.size(); }
  [[nodiscard]] std::size_t size(std::size_t sample) const { return lists_[sample].len; }
  [[nodiscard]] const float* values(std::size_t sample) const { return static_cast<const float*>(lists_[sample].p); }

 private:
  [[noreturn]] static void throw_problem(const char* name, const std::string& what) {
    throw Error({about_path({}, "hdf5", std::string("'") + name + "' " + what)});
  }
  Hdf5 dataset_, space_, type_;
  std::vector<hvl_t> lists_;
};

[[noreturn]] void refuse(const fs::path& path, std::string code, std::string message) {
  throw Error({about_path(path, std::move(code), std::move(message))});
}

void count_spikes(const fs::path& path, const Lists& times, const Lists& places, std::size_t sample,
                  const data::EventOptions& options, uint8_t* counts) {
  const std::string which = "sample " + std::to_string(sample);
  if (times.size(sample) != places.size(sample)) refuse(path, "shape-mismatch", which + " has other times than units");
  for (std::size_t k = 0; k < times.size(sample); ++k) {
    const float time = times.values(sample)[k], unit = places.values(sample)[k];
    if (!(time >= 0) || !(unit >= 0) || !(unit < units))
      refuse(path, "events-outside", which + " has a spike before time 0 or of a unit beyond the 700");
    const double bin = time / options.duration * static_cast<double>(options.bins);
    if (bin >= static_cast<double>(options.bins)) continue;
    uint8_t& count = counts[static_cast<int64_t>(bin) * units + static_cast<int64_t>(unit)];
    if (count < 255) ++count;
  }
}

data::ImageSet read_part(hid_t file, const fs::path& path, const data::EventOptions& options) {
  const Lists times(file, "spikes/times"), places(file, "spikes/units");
  const std::vector<double> labels = read_numbers(file, "labels", most_samples);
  if (places.count() != times.count() || labels.size() != times.count())
    refuse(path, "shape-mismatch", "times, units and labels are not of the same number of samples");
  data::ImageSet set;
  set.count = static_cast<int64_t>(times.count());
  set.height = options.bins;
  set.width = units;
  set.pixels.resize(static_cast<std::size_t>(set.count * set.features()));
  for (int digit = 0; digit < 20; ++digit)
    set.class_names.push_back((digit < 10 ? "english " : "german ") + std::to_string(digit % 10));
  for (std::size_t sample = 0; sample < times.count(); ++sample) {
    if (!(labels[sample] >= 0 && labels[sample] < 20))
      refuse(path, "label-out-of-range", "sample " + std::to_string(sample) + " has a label beyond the 20 digits");
    set.labels.push_back(static_cast<uint8_t>(labels[sample]));
    count_spikes(path, times, places, sample, options,
                 set.pixels.data() + static_cast<int64_t>(sample) * set.features());
  }
  return set;
}

}  // namespace

Result<data::ImageData> load_shd(const fs::path& folder, const data::EventOptions& options) {
  data::ImageData data{folder.string(), {}, {}};
  for (const bool test : {false, true}) {
    const fs::path path = folder / (test ? "shd_test.h5" : "shd_train.h5");
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) {
      return about_path(folder, "data-incomplete", "the folder holds no file '" + path.filename().string() + "'",
                        "get shd_train.h5.gz and shd_test.h5.gz from https://zenkelab.org/resources/"
                        "spiking-heidelberg-datasets-shd, unpack them with gunzip and name their folder with --data");
    }
    const Status read =
        read_hdf5(path, [&](hid_t file) { (test ? data.test : data.train) = read_part(file, path, options); });
    if (!read.ok()) return read.diagnostics();
  }
  return data;
}

}  // namespace bouton::exchange
