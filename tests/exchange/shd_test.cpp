#include "bouton/exchange/shd.hpp"

#include <gtest/gtest.h>
#include <hdf5.h>

#include "support/temporary_folder.hpp"

namespace bouton::exchange {
namespace {

using Lists = std::vector<std::vector<float>>;

void write_lists(hid_t group, const char* name, const Lists& lists, hid_t stored) {
  std::vector<hvl_t> raw;
  for (const auto& list : lists) raw.push_back({list.size(), const_cast<float*>(list.data())});
  const hsize_t count = lists.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t memory = H5Tvlen_create(H5T_NATIVE_FLOAT), file = H5Tvlen_create(stored);
  const hid_t dataset = H5Dcreate2(group, name, file, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.data()), 0);
  H5Dclose(dataset);
  H5Tclose(memory);
  H5Tclose(file);
  H5Sclose(space);
}

// As the official files are: half-precision times, 16-bit units.
void write_part(const std::filesystem::path& path, const Lists& times, const Lists& units,
                const std::vector<int>& labels) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t group = H5Gcreate2(file, "spikes", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_size(half, 2);
  H5Tset_ebias(half, 15);
  write_lists(group, "times", times, half);
  write_lists(group, "units", units, H5T_STD_U16LE);
  const hsize_t count = labels.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t dataset = H5Dcreate2(file, "labels", H5T_STD_U16LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Dwrite(dataset, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels.data()), 0);
  H5Dclose(dataset);
  H5Sclose(space);
  H5Tclose(half);
  H5Gclose(group);
  H5Fclose(file);
}

std::string refusal(const Result<data::ImageData>& result) {
  return result.ok() ? "accepted" : result.diagnostics()[0].code;
}

TEST(Shd, CountsTheSpikesOfEachUnitInEachStretchOfTime) {
  const TemporaryFolder folder;
  write_part(folder.path() / "shd_train.h5", {{0, 0.125F, 0.75F}, {}}, {{0, 0, 699}, {}}, {3, 19});
  write_part(folder.path() / "shd_test.h5", {{0.5F, 1.5F}}, {{7, 8}}, {11});
  const data::ImageData data = load_shd(folder.path(), {.duration = 1, .bins = 4}).value();
  EXPECT_EQ(data.train.labels, (std::vector<uint8_t>{3, 19}));
  EXPECT_EQ(data.train.class_names[13], "german 3");
  std::vector<uint8_t> wanted(2 * 4 * 700);
  wanted[0] = 2;
  wanted[3 * 700 + 699] = 1;
  EXPECT_EQ(data.train.pixels, wanted);
  std::vector<uint8_t> late(4 * 700);  // the second spike comes after the end
  late[2 * 700 + 7] = 1;
  EXPECT_EQ(data.test.pixels, late);
}

TEST(Shd, RefusesFilesThatAreNotOfItsForm) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal(load_shd(folder.path(), {})), "data-incomplete");
  write_part(folder.path() / "shd_test.h5", {{0.5F}}, {{7}}, {11});
  const auto with_training = [&](const Lists& times, const Lists& units, const std::vector<int>& labels) {
    write_part(folder.path() / "shd_train.h5", times, units, labels);
    return refusal(load_shd(folder.path(), {}));
  };
  EXPECT_EQ(with_training({{0.5F}}, {{7}}, {1}), "accepted");
  EXPECT_EQ(with_training({{0.5F}}, {{700}}, {1}), "events-outside");
  EXPECT_EQ(with_training({{0.5F}}, {{7}}, {20}), "label-out-of-range");
  EXPECT_EQ(with_training({{0.5F}}, {{7, 8}}, {1}), "shape-mismatch");
  EXPECT_EQ(with_training({{0.5F}}, {{7}}, {1, 2}), "shape-mismatch");
  write_part(folder.path() / "shd_train.h5", {}, {}, {});
  EXPECT_EQ(refusal(load_shd(folder.path(), {})), "accepted");
}

}  // namespace
}  // namespace bouton::exchange
