#include "bouton/data/edges.hpp"

#include <gtest/gtest.h>

#include "bouton/base/files.hpp"
#include "support/temporary_folder.hpp"

namespace bouton::data {
namespace {

using Indices = std::vector<std::uint32_t>;
using Numbers = std::vector<double>;

std::string refusal(const std::string& text, const EdgeTableOptions& options = {}) {
  const auto edges = parse_edges("e.csv", text, options);
  return edges.ok() ? "accepted" : edges.diagnostics().front().to_string();
}

TEST(Edges, AreReadByTheNamesOfTheColumns) {
  const Edges edges =
      parse_edges("e.csv", "# made by hand\ntarget, source ,delay,weight\n1,0,1.5,2\r\n\n0, 3 ,1,-1e-3").value();
  EXPECT_EQ(edges.source, (Indices{0, 3}));
  EXPECT_EQ(edges.target, (Indices{1, 0}));
  EXPECT_EQ(edges.weight, (Numbers{2, -1e-3}));
  EXPECT_EQ(edges.delay, (Numbers{1.5e-3, 1e-3}));
}

TEST(Edges, WeightsAndDelaysAreTakenWhereTheyAreOrAsAsked) {
  const Edges none = parse_edges("e.csv", "source,target\n0,1\n").value();
  EXPECT_TRUE(none.weight.empty() && none.delay.empty());
  const std::string text = "source;target;n;weight\n0;1;3;x\n";
  const Edges counted = parse_edges("e.csv", text, {.weight = "n", .weight_unit = 1e-10}).value();
  EXPECT_EQ(counted.weight, Numbers{3 * 1e-10});
  EXPECT_TRUE(parse_edges("e.csv", text, {.weight = ""}).value().weight.empty());
}

TEST(Edges, OfNamedNeuronsInRowsThatPassTheFilter) {
  const std::string text =
      "Neuron 1\tNeuron 2\tType\tNbr\nAVAL\t\"PVC, L\"\tS\t2\nPVC, L\tAVAL\tEJ\t1\nAVAL\tMUSCLE\tS\t4\nPVC, "
      "L\tAVAL\tS\t7\n";
  const std::vector<std::string> names = {"PVC, L", "AVAL"};
  const EdgeTableOptions options{.source = "Neuron 1",
                                 .target = "Neuron 2",
                                 .weight = "Nbr",
                                 .source_names = names,
                                 .target_names = names,
                                 .where = {{"Type", "S"}}};
  const Edges edges = parse_edges("c.tsv", text, options).value();
  EXPECT_EQ(edges.source, (Indices{1, 0}));
  EXPECT_EQ(edges.target, (Indices{0, 1}));
  EXPECT_EQ(edges.weight, (Numbers{2, 7}));
}

TEST(Edges, NamesOfAPopulationComeFromATable) {
  const TemporaryFolder folder;
  ASSERT_TRUE(
      write_file_atomically(folder / "n.csv", "name,kind\nAVAL,inter\nDB1,motor\nAVAL,inter\nRIM,inter\n").ok());
  EXPECT_EQ(read_names(folder / "n.csv", "name").value(), (std::vector<std::string>{"AVAL", "DB1", "RIM"}));
  EXPECT_EQ(read_names(folder / "n.csv", "name", {{"kind", "motor"}}).value(), (std::vector<std::string>{"DB1"}));
  EXPECT_EQ(read_names(folder / "n.csv", "nam").diagnostics().front().hint, "did you mean 'name'?");
  EXPECT_EQ(read_edges(folder / "no.csv").diagnostics().front().code, "file-not-found");
}

TEST(Edges, RefusalsSayWhatIsWrongAndWhere) {
  EXPECT_EQ(refusal(""),
            "error[csv-empty]: the file is empty: expected a first line that names the columns\n  --> e.csv");
  EXPECT_EQ(refusal("source,target\n"), "error[csv-empty]: the file holds no rows after its first line\n  --> e.csv");
  EXPECT_EQ(refusal("sources,target\n0,1\n"),
            "error[missing-column]: the table has no column 'source'\n  --> e.csv\n   = did you mean 'sources'?");
  EXPECT_EQ(refusal("source,target\n0,1\n", {.weight = "w"}),
            "error[missing-column]: the table has no column 'w'\n  --> e.csv\n   = known: source, target");
  EXPECT_EQ(refusal("source,target\n0,1\n", {.where = {{"kind", "E"}}}),
            "error[missing-column]: the table has no column 'kind'\n  --> e.csv\n   = known: source, target");
  EXPECT_EQ(refusal("source,target\n0,1\n0\n"),
            "error[csv-ragged]: line 3 has 1 values, but the first line names 2 columns\n  --> e.csv");
  EXPECT_EQ(refusal("source,target,weight\n0,1,2\n0,1,2x\n"),
            "error[csv-not-a-number]: the column 'weight' must hold numbers, found '2x'\n  --> e.csv:3:5");
  EXPECT_EQ(refusal("source,target,weight\n0,1,\n"),
            "error[csv-empty-cell]: a value is missing in the column 'weight'\n  --> e.csv:2:5");
  for (const char* bad : {"nan", "inf", "1e999"}) {
    EXPECT_EQ(refusal(std::string("source,target,delay\n0,1,") + bad + "\n"),
              std::string("error[not-finite]: the column 'delay' must hold finite numbers, found '") + bad +
                  "'\n  --> e.csv:2:5");
  }
  for (const char* bad : {"-1", "0.5", "4294967296"}) {
    EXPECT_EQ(refusal(std::string("source,target\n0,") + bad + "\n"),
              std::string("error[not-an-index]: the column 'target' must hold whole numbers from 0 to 4294967295, "
                          "found '") +
                  bad + "'\n  --> e.csv:2:3");
  }
  EXPECT_EQ(refusal("source,target\na,b\n", {.source_names = {"b"}, .target_names = {"a"}}),
            "error[no-edges]: none of its 1 rows is between neurons of the two populations\n  --> e.csv\n"
            "   = compare the names of the neurons with those in the file");
  EXPECT_EQ(refusal("source,target\na,b\n", {.source_names = {"a", "a"}}),
            "error[duplicate-name]: two neurons are called 'a'");
}

}  // namespace
}  // namespace bouton::data
