#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "bouton/base/files.hpp"
#include "bouton/exchange/sonata.hpp"
#include "exchange/hdf5.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::exchange {
namespace {

namespace fs = std::filesystem;
using Numbers = std::vector<double>;
using Ids = std::vector<std::uint64_t>;

struct Contents {
  std::string sources = "source_node_id";
  Ids source = {2, 0, 1}, target = {0, 1, 1};
  Numbers weight = {0.5, -1, 2}, delay = {1.5, 1, 0.5};
  Ids order = {};  // edge_group_index
  bool second_group = false;
};

void write(hid_t all, const std::string& name, const Contents& contents) {
  const Hdf5 group = make_group(all, name), attributes = make_group(group.id(), "0");
  write_values(group.id(), contents.sources, contents.source);
  write_values(group.id(), "target_node_id", contents.target);
  if (!contents.weight.empty()) write_values(attributes.id(), "syn_weight", contents.weight);
  if (!contents.delay.empty()) write_values(attributes.id(), "delay", contents.delay);
  if (!contents.order.empty()) write_values(group.id(), "edge_group_index", contents.order);
  if (contents.second_group) make_group(group.id(), "1");
}

class SonataEdges : public testing::Test {
 protected:
  fs::path file(const Contents& contents) {
    const Status written =
        write_hdf5(path, [&](hid_t file) { write(make_group(file, "edges").id(), "E_to_I", contents); });
    EXPECT_TRUE(written.ok());
    return path;
  }
  std::string refusal(const std::string& population = "") {
    const auto edges = read_sonata_edges(path, population);
    if (edges.ok()) return "accepted";
    const Diagnostic& d = edges.diagnostics().front();
    EXPECT_EQ(d.file, path.string());
    return d.code + ": " + d.message + (d.hint.empty() ? "" : " = " + d.hint);
  }
  TemporaryFolder folder;
  fs::path path = folder / "edges.h5";
};

TEST_F(SonataEdges, AreReadInTheirUnits) {
  const auto edges = read_sonata_edges(file({}), "", 1e-9).value();
  EXPECT_EQ(edges.source, (std::vector<std::uint32_t>{2, 0, 1}));
  EXPECT_EQ(edges.target, (std::vector<std::uint32_t>{0, 1, 1}));
  ASSERT_EQ(edges.weight.size(), 3u);
  EXPECT_DOUBLE_EQ(edges.weight[1], -1e-9);
  ASSERT_EQ(edges.delay.size(), 3u);
  EXPECT_DOUBLE_EQ(edges.delay[0], 1.5e-3);
}

TEST_F(SonataEdges, NeedNoWeightsOrDelays) {
  const auto edges = read_sonata_edges(file({.weight = {}, .delay = {}}), "E_to_I").value();
  EXPECT_EQ(edges.source.size(), 3u);
  EXPECT_TRUE(edges.weight.empty() && edges.delay.empty());
}

TEST_F(SonataEdges, FindTheirAttributesByTheGroupsIndex) {
  const auto edges = read_sonata_edges(file({.order = {2, 0, 1}})).value();
  EXPECT_EQ(edges.weight, (Numbers{2, 0.5, -1}));
  file({.order = {2, 0, 3}});
  EXPECT_EQ(refusal(), "not-an-index: 'edge_group_index' of edge 2 is 3, but the group has 3 edges");
}

TEST_F(SonataEdges, RefusalsSayWhatIsWrong) {
  EXPECT_EQ(refusal(), "file-not-found: there is no such file");
  file({.sources = "source_node_ids"});
  EXPECT_EQ(refusal(), "missing-dataset: there is no 'source_node_id' = did you mean 'source_node_ids'?");
  file({});
  EXPECT_EQ(refusal("E_to_E"), "unknown-population: it has no population of edges 'E_to_E' = did you mean 'E_to_I'?");
  file({.target = {0, 1}});
  EXPECT_EQ(refusal(), "bad-size: 'target_node_id' has 2 values, but there are 3 edges");
  file({.weight = {1}});
  EXPECT_EQ(refusal(), "bad-size: 'syn_weight' has 1 values, but there are 3 edges");
  file({.delay = {1, NAN, 1}});
  EXPECT_EQ(refusal(), "not-finite: value 1 of 'delay' is not a finite number");
  file({.source = {0, 1, std::uint64_t{1} << 32}});
  EXPECT_EQ(refusal(), "not-an-index: 'source_node_id' of edge 2 is no whole number from 0 to 4294967295");
  file({.second_group = true});
  EXPECT_EQ(refusal(),
            "unsupported: its edges have attributes of several kinds, in groups 0 and 1 = write the edges "
            "of each group to a population of their own");
  ASSERT_TRUE(write_hdf5(path, [](hid_t file) { make_group(file, "edge"); }).ok());
  EXPECT_EQ(refusal(), "missing-dataset: there is no group 'edges' = did you mean 'edge'?");
  ASSERT_TRUE(write_hdf5(path, [](hid_t file) {
                const Hdf5 all = make_group(file, "edges");
                write(all.id(), "a", {});
                write(all.id(), "b", {});
              }).ok());
  EXPECT_EQ(refusal(), "unknown-population: it holds 2 populations of edges: name one = known: a, b");
}

TEST_F(SonataEdges, ADamagedFileIsRefused) {
  const std::string whole = read_file(file({})).value();
  for (const std::size_t kept : {std::size_t{0}, std::size_t{7}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, kept);
    EXPECT_TRUE(refusal().starts_with("hdf5: this is no HDF5 file")) << kept << refusal();
  }
}

// A dataset may declare any length without a byte behind it: no memory is taken for what cannot be there.
TEST_F(SonataEdges, DeclaredLengthsDoNotTakeMemory) {
  ASSERT_TRUE(write_hdf5(path, [](hid_t file) {
                const Hdf5 all = make_group(file, "edges"), group = make_group(all.id(), "huge");
                const hsize_t size = hsize_t{1} << 31, chunk = 1024;
                const Hdf5 space(H5Screate_simple(1, &size, nullptr), H5Sclose, "space");
                const Hdf5 chunked(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "options");
                ASSERT_GE(H5Pset_chunk(chunked.id(), 1, &chunk), 0);
                for (const char* name : {"source_node_id", "target_node_id"}) {
                  const Hdf5 dataset(
                      H5Dcreate2(group.id(), name, H5T_STD_U64LE, space.id(), H5P_DEFAULT, chunked.id(), H5P_DEFAULT),
                      H5Dclose, name);
                }
              }).ok());
  EXPECT_TRUE(refusal().starts_with("too-large: 'source_node_id' has 2147483648 values, more than")) << refusal();
}

}  // namespace
}  // namespace bouton::exchange
