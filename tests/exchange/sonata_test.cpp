#include "bouton/exchange/sonata.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "exchange/hdf5.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::exchange {
namespace {

namespace fs = std::filesystem;

std::vector<double> numbers(const fs::path& path, const std::string& name) {
  std::vector<double> values;
  const Status read = read_hdf5(path, [&](hid_t file) { values = read_numbers(file, name, 1 << 20); });
  EXPECT_TRUE(read.ok()) << (read.ok() ? "" : read.diagnostics().front().to_string());
  return values;
}

std::string text_attribute(const fs::path& path, const std::string& object, const std::string& name) {
  std::string text;
  const Status read = read_hdf5(path, [&](hid_t file) {
    const Hdf5 attribute(H5Aopen_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, name);
    const Hdf5 type(H5Aget_type(attribute.id()), H5Tclose, name);
    char* value = nullptr;
    ASSERT_GE(H5Aread(attribute.id(), type.id(), &value), 0);
    text = value;
    H5free_memory(value);
  });
  EXPECT_TRUE(read.ok());
  return text;
}

const std::vector<PopulationSpikes>& two_populations() {
  static const std::vector<PopulationSpikes> spikes = {{"E", {{0.0101, 0.0205}, {3, 0}}}, {"silent", {}}};
  return spikes;
}

TEST(Sonata, SpikesAreWhereTheFormatHasThem) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_sonata_spikes(folder / "spikes.h5", two_populations()).ok());
  const std::vector<double> times = numbers(folder / "spikes.h5", "/spikes/E/timestamps");
  ASSERT_EQ(times.size(), 2u);
  EXPECT_DOUBLE_EQ(times[0], 10.1);
  EXPECT_DOUBLE_EQ(times[1], 20.5);
  EXPECT_EQ(numbers(folder / "spikes.h5", "/spikes/E/node_ids"), (std::vector<double>{3, 0}));
  EXPECT_EQ(text_attribute(folder / "spikes.h5", "/spikes/E/timestamps", "units"), "ms");
  EXPECT_TRUE(numbers(folder / "spikes.h5", "/spikes/silent/timestamps").empty());
  const Status read = read_hdf5(folder / "spikes.h5", [](hid_t file) {
    const Hdf5 attribute(H5Aopen_by_name(file, "/spikes/E", "sorting", H5P_DEFAULT, H5P_DEFAULT), H5Aclose, "sorting");
    const Hdf5 type(H5Aget_type(attribute.id()), H5Tclose, "sorting");
    char name[20] = {};
    std::uint8_t value = 0;
    ASSERT_GE(H5Aread(attribute.id(), type.id(), &value), 0);
    ASSERT_GE(H5Tenum_nameof(type.id(), &value, name, sizeof name), 0);
    EXPECT_STREQ(name, "by_time");
    const Hdf5 magic(H5Aopen(file, "magic", H5P_DEFAULT), H5Aclose, "magic");
    std::uint32_t number = 0;
    ASSERT_GE(H5Aread(magic.id(), H5T_NATIVE_UINT32, &number), 0);
    EXPECT_EQ(number, 0x0A7Au);
  });
  EXPECT_TRUE(read.ok());
}

TEST(Sonata, SpikesComeBackAsTheyWere) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_sonata_spikes(folder / "spikes.h5", two_populations()).ok());
  const auto spikes = read_sonata_spikes(folder / "spikes.h5", "E");
  ASSERT_TRUE(spikes.ok());
  EXPECT_NEAR(spikes.value().times[1], 0.0205, 1e-15);
  EXPECT_EQ(spikes.value().nodes, (std::vector<std::uint32_t>{3, 0}));
}

TEST(Sonata, ManySpikesComeBackToo) {
  SpikeTrains many;
  for (std::uint32_t i = 0; i < 300000; ++i) {
    many.times.push_back(1e-4 * i);
    many.nodes.push_back(i % 1000);
  }
  const TemporaryFolder folder;
  ASSERT_TRUE(write_sonata_spikes(folder / "spikes.h5", {{"only", many}}).ok());
  EXPECT_LT(fs::file_size(folder / "spikes.h5"), 300000u * 16);  // chunked and compressed
  const auto spikes = read_sonata_spikes(folder / "spikes.h5", "another name");
  ASSERT_TRUE(spikes.ok());
  EXPECT_EQ(spikes.value().nodes, many.nodes);
}

TEST(Sonata, AReportHasItsRowsNodesAndTimes) {
  const TemporaryFolder folder;
  const StateReport report{"E", "mV", {2, 5, 7}, 0.2, 0.001, {1, 2, 3, 4, 5, 6}};
  ASSERT_TRUE(write_sonata_report(folder / "report.h5", report).ok());
  const std::string at = "/report/E/";
  EXPECT_EQ(numbers(folder / "report.h5", at + "data"), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(numbers(folder / "report.h5", at + "mapping/node_ids"), (std::vector<double>{2, 5, 7}));
  EXPECT_EQ(numbers(folder / "report.h5", at + "mapping/index_pointers"), (std::vector<double>{0, 1, 2, 3}));
  EXPECT_EQ(numbers(folder / "report.h5", at + "mapping/time"), (std::vector<double>{200, 202, 1}));
  EXPECT_EQ(text_attribute(folder / "report.h5", at + "data", "units"), "mV");
}

TEST(Sonata, WeightsStandBySynapseAndTime) {
  const TemporaryFolder folder;
  const WeightTable table{"E->E", "mV", {0, 1}, {1, 0}, {0, 1.5}, {{0.1F, 0.2F}, {0.3F, 0.4F}}};
  ASSERT_TRUE(write_weights(folder / "weights.h5", {table}).ok());
  EXPECT_EQ(numbers(folder / "weights.h5", "/weights/E->E/timestamps"), (std::vector<double>{0, 1500}));
  EXPECT_EQ(numbers(folder / "weights.h5", "/weights/E->E/target_node_id"), (std::vector<double>{1, 0}));
  EXPECT_EQ(numbers(folder / "weights.h5", "/weights/E->E/data").size(), 4u);
}

TEST(Sonata, AFileThatIsNoneIsADiagnostic) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_sonata_spikes(folder / "none.h5", "E").diagnostics().front().code, "file-not-found");
  std::ofstream(folder / "text.h5") << "this is no HDF5 file";
  EXPECT_EQ(read_sonata_spikes(folder / "text.h5", "E").diagnostics().front().code, "hdf5");
  ASSERT_TRUE(write_weights(folder / "weights.h5", {}).ok());
  EXPECT_EQ(read_sonata_spikes(folder / "weights.h5", "E").diagnostics().front().message,
            "there is no group 'spikes': object 'spikes' doesn't exist");
}

TEST(Sonata, APopulationThatIsNotThereGetsTheNearest) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_sonata_spikes(folder / "spikes.h5", two_populations()).ok());
  const Diagnostic d = read_sonata_spikes(folder / "spikes.h5", "slient").diagnostics().front();
  EXPECT_EQ(d.code, "unknown-population");
  EXPECT_EQ(d.hint, "did you mean 'silent'?");
}

TEST(Sonata, WhereNothingCanBeWrittenNothingIsLeft) {
  const TemporaryFolder folder;
  EXPECT_EQ(write_sonata_spikes(folder / "no/such/folder/spikes.h5", {}).diagnostics().front().code,
            "folder-not-found");
  ASSERT_TRUE(write_sonata_spikes(folder / "spikes.h5", two_populations()).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator{}), 1);
}

}  // namespace
}  // namespace bouton::exchange
