#pragma once
// Ranks as threads of one process, so that tests need no MPI.

#include <algorithm>
#include <barrier>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "bouton/ranks/ranks.hpp"

namespace bouton {

class FakeRanks : public Ranks {
 public:
  struct World {
    explicit World(int count) : parts(static_cast<std::size_t>(count)), everybody(count) {}
    std::vector<std::string> parts;  // what each gave in the call under way
    std::barrier<> everybody;
  };
  FakeRanks(std::shared_ptr<World> world, int rank) : world_(std::move(world)), rank_(rank) {}

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int count() const override { return static_cast<int>(world_->parts.size()); }
  void all_gather(const std::vector<std::uint32_t>& mine, std::vector<std::uint32_t>& all) override {
    std::vector<std::string> parts;
    all_gather_bytes({reinterpret_cast<const char*>(mine.data()), mine.size() * 4}, parts);
    all.clear();
    for (const std::string& part : parts) {
      const std::size_t before = all.size();
      all.resize(before + part.size() / 4);
      if (!part.empty()) std::memcpy(all.data() + before, part.data(), part.size());
    }
  }
  void all_gather_bytes(const std::string& mine, std::vector<std::string>& all) override {
    world_->parts[static_cast<std::size_t>(rank_)] = mine;
    world_->everybody.arrive_and_wait();
    all = world_->parts;
    world_->everybody.arrive_and_wait();
  }
  double sum(double mine) override {
    const std::vector<double> all = everyones(mine);
    return std::accumulate(all.begin(), all.end(), 0.0);
  }
  double maximum(double mine) override {
    const std::vector<double> all = everyones(mine);
    return *std::max_element(all.begin(), all.end());
  }

 private:
  std::vector<double> everyones(double mine) {
    std::vector<std::string> parts;
    all_gather_bytes({reinterpret_cast<const char*>(&mine), sizeof mine}, parts);
    std::vector<double> values(parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i) std::memcpy(&values[i], parts[i].data(), sizeof mine);
    return values;
  }

  std::shared_ptr<World> world_;
  int rank_;
};

// Runs body(ranks) once for each of `count` ranks, all at the same time.
inline void on_ranks(int count, const std::function<void(const std::shared_ptr<Ranks>&)>& body) {
  const auto world = std::make_shared<FakeRanks::World>(count);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < count; ++rank)
    threads.emplace_back([&, rank] { body(std::make_shared<FakeRanks>(world, rank)); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace bouton
