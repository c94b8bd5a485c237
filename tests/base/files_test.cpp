#include "bouton/base/files.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "support/ordinary_user.hpp"
#include "support/temporary_folder.hpp"

namespace bouton {
namespace {

namespace fs = std::filesystem;

std::string only_text(const std::vector<Diagnostic>& diagnostics) {
  return diagnostics.size() == 1 ? diagnostics.front().to_string() : "expected one diagnostic";
}

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator{}));
}

TEST(Files, WhatIsWrittenIsReadBackByteForByte) {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\r\n\xff", 6);
  ASSERT_TRUE(write_file_atomically(folder / "x", bytes).ok());
  EXPECT_EQ(read_file(folder / "x", 6).value(), bytes);
  ASSERT_TRUE(write_file_atomically(folder / "x", std::vector<std::string_view>{"one ", "", "two"}).ok());
  EXPECT_EQ(read_file(folder / "x", 100).value(), "one two");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, AFileLargerThanAskedForIsRefused) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "x", "12345").ok());
  EXPECT_EQ(
      only_text(read_file(folder / "x", 4).diagnostics()),
      "error[file-too-large]: the file has 5 bytes; at most 4 are accepted here\n  --> " + (folder / "x").string());
  EXPECT_EQ(read_file("/dev/zero", 10000).diagnostics().at(0).code, "file-too-large");
}

TEST(Files, AFileOfTheSystemWithoutASizeIsReadWhole) {
  EXPECT_NE(read_file("/proc/self/status", 1 << 20).value().find("Pid:"), std::string::npos);
}

TEST(Files, MissingFileAndFolderAreToldApart) {
  const TemporaryFolder folder;
  EXPECT_EQ(only_text(read_file(folder / "none", 10).diagnostics()),
            "error[file-not-found]: there is no such file\n  --> " + (folder / "none").string());
  EXPECT_EQ(only_text(read_file(folder.path(), 10).diagnostics()),
            "error[not-a-file]: expected a file, but this is a folder\n  --> " + folder.path().string());
}

TEST(Files, WritingIntoAMissingFolderSaysSo) {
  const TemporaryFolder folder;
  const fs::path path = folder / "none" / "x";
  EXPECT_EQ(only_text(write_file_atomically(path, "x").diagnostics()),
            "error[folder-not-found]: the folder '" + (folder / "none").string() + "' does not exist\n  --> " +
                path.string() + "\n   = create it first, or choose another path");
}

TEST(Files, AnUnwritableFolderIsADiagnostic) {
  const TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  {
    const OrdinaryUser user;
    EXPECT_EQ(only_text(write_file_atomically(folder / "x", "x").diagnostics()),
              "error[folder-not-writable]: the folder '" + folder.path().string() +
                  "' is not writable: Permission denied\n  --> " + (folder / "x").string() +
                  "\n   = choose a folder you may write to");
    EXPECT_EQ(only_text(make_folder(folder / "y").diagnostics()),
              "error[folder-not-writable]: the folder cannot be created: Permission denied\n  --> " +
                  (folder / "y").string() + "\n   = choose a folder you may write to");
  }
  fs::permissions(folder.path(), fs::perms::owner_all);
}

// A write that the system refuses midway, as on a full disk: a limit on the size of files does the same to the code.
TEST(Files, AWriteThatRunsOutOfRoomLeavesTheOldFileAndNothingElse) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "x", "old").ok());
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Status status = write_file_atomically(folder / "x", std::string(100000, 'n'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(only_text(status.diagnostics()),
            "error[disk-full]: there is no room to write this file: File too large\n  --> " + (folder / "x").string() +
                "\n   = free some space, or choose another disk");
  EXPECT_EQ(read_file(folder / "x", 100).value(), "old");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, WritingOverAFolderIsRefusedAndCleanedUp) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "x" / "y");
  EXPECT_EQ(write_file_atomically(folder / "x", "x").diagnostics().at(0).code, "not-a-file");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, AFileInTheWayOfAFolderIsADiagnostic) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "x", "").ok());
  EXPECT_EQ(only_text(make_folder(folder / "x").diagnostics()),
            "error[not-a-folder]: expected a folder, but a file of this name is in the way\n  --> " +
                (folder / "x").string());
  EXPECT_EQ(make_folder(folder / "x" / "y").diagnostics().at(0).code, "not-a-folder");
  EXPECT_TRUE(make_folder(folder / "a" / "b" / "c").ok());
  EXPECT_TRUE(make_folder(folder / "a" / "b" / "c").ok());
}

TEST(Files, ReadersSeeTheOldFileOrTheNewOneWhileManyWrite) {
  const TemporaryFolder folder;
  const fs::path path = folder / "x";
  ASSERT_TRUE(write_file_atomically(path, std::string(20000, '0')).ok());
  std::vector<std::thread> writers;
  for (char c : {'1', '2', '3'}) {
    writers.emplace_back([&path, c] {
      for (int i = 0; i < 20; ++i) EXPECT_TRUE(write_file_atomically(path, std::string(20000, c)).ok());
    });
  }
  for (int i = 0; i < 200; ++i) {
    const std::string bytes = read_file(path, 100000).value();
    ASSERT_EQ(bytes, std::string(20000, bytes.empty() ? '?' : bytes[0]));
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, TemporaryNamesAreUniqueAcrossThreads) {
  std::vector<std::set<fs::path>> names(4);
  std::vector<std::thread> threads;
  for (auto& mine : names)
    threads.emplace_back([&mine] {
      for (int i = 0; i < 500; ++i) mine.insert(temporary_name("folder/x"));
    });
  for (std::thread& thread : threads) thread.join();
  std::set<fs::path> all;
  for (const auto& mine : names) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 2000u);
  EXPECT_EQ(all.begin()->parent_path(), "folder");
}

TEST(Files, TheCacheFollowsTheEnvironment) {
  const EnvironmentVariable own("BOUTON_CACHE", "/own"), xdg("XDG_CACHE_HOME", "/xdg"), home("HOME", "/home/me");
  EXPECT_EQ(cache_folder(), "/own");
  const EnvironmentVariable no_own("BOUTON_CACHE", "");
  EXPECT_EQ(cache_folder(), "/xdg/bouton");
  const EnvironmentVariable no_xdg("XDG_CACHE_HOME", "");
  EXPECT_EQ(cache_folder(), "/home/me/.cache/bouton");
}

}  // namespace
}  // namespace bouton
