// Ranks over MPI. Only this file knows MPI.

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "bouton/ranks/ranks.hpp"

#if BOUTON_HAS_MPI
#include <mpi.h>
#endif

namespace bouton {

#if BOUTON_HAS_MPI
namespace {

// Whether a launcher of processes has started this one.
bool launched() {
  constexpr const char* signs[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"};
  return std::any_of(std::begin(signs), std::end(signs), [](const char* sign) { return std::getenv(sign) != nullptr; });
}

class MpiRanks final : public Ranks {
 public:
  MpiRanks() {
    int already = 0;
    MPI_Initialized(&already);
    if (already == 0) {
      int provided = 0;
      MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
      std::atexit([] {
        int done = 0;
        MPI_Finalized(&done);
        if (done == 0) MPI_Finalize();
      });
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &count_);
    block_.resize(block_words);
    blocks_.resize(block_words * static_cast<std::size_t>(count_));
  }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int count() const override { return count_; }

  // Steps have few spikes: one block a rank nearly always holds them, and the rest of the rare others follows.
  void all_gather(const std::vector<std::uint32_t>& mine, std::vector<std::uint32_t>& all) override {
    block_[0] = static_cast<std::uint32_t>(mine.size());
    const std::size_t here = std::min(mine.size(), block_words - 1);
    std::copy_n(mine.begin(), here, block_.begin() + 1);
    MPI_Allgather(block_.data(), block_words, MPI_UINT32_T, blocks_.data(), block_words, MPI_UINT32_T, MPI_COMM_WORLD);
    std::vector<int> counts(static_cast<std::size_t>(count_)), places(static_cast<std::size_t>(count_));
    bool fits = true;
    int total = 0;
    for (int r = 0; r < count_; ++r) {
      const std::uint32_t size = blocks_[static_cast<std::size_t>(r) * block_words];
      counts[static_cast<std::size_t>(r)] = static_cast<int>(size);
      places[static_cast<std::size_t>(r)] = total;
      total += static_cast<int>(size);
      fits = fits && size < block_words;
    }
    all.resize(static_cast<std::size_t>(total));
    if (!fits) {
      MPI_Allgatherv(mine.data(), static_cast<int>(mine.size()), MPI_UINT32_T, all.data(), counts.data(), places.data(),
                     MPI_UINT32_T, MPI_COMM_WORLD);
      return;
    }
    for (int r = 0; r < count_; ++r) {
      const std::uint32_t* block = blocks_.data() + static_cast<std::size_t>(r) * block_words;
      std::copy_n(block + 1, block[0], all.begin() + places[static_cast<std::size_t>(r)]);
    }
  }

  void all_gather_bytes(const std::string& mine, std::vector<std::string>& all) override {
    all.assign(static_cast<std::size_t>(count_), "");
    for (int r = 0; r < count_; ++r) {
      std::uint64_t size = mine.size();
      MPI_Bcast(&size, 1, MPI_UINT64_T, r, MPI_COMM_WORLD);
      std::string& part = all[static_cast<std::size_t>(r)];
      part = r == rank_ ? mine : std::string(size, '\0');
      constexpr std::uint64_t piece = std::uint64_t{1} << 30;  // counts are int
      for (std::uint64_t at = 0; at < size; at += piece)
        MPI_Bcast(part.data() + at, static_cast<int>(std::min(piece, size - at)), MPI_BYTE, r, MPI_COMM_WORLD);
    }
  }

  void all_gather_in_place(float* all, std::size_t count) override {
    constexpr std::size_t piece = std::size_t{1} << 30;  // counts are int
    if (count <= piece) {
      MPI_Allgather(MPI_IN_PLACE, 0, MPI_FLOAT, all, static_cast<int>(count), MPI_FLOAT, MPI_COMM_WORLD);
      return;
    }
    for (int r = 0; r < count_; ++r) {
      for (std::size_t at = 0; at < count; at += piece)
        MPI_Bcast(all + static_cast<std::size_t>(r) * count + at, static_cast<int>(std::min(piece, count - at)),
                  MPI_FLOAT, r, MPI_COMM_WORLD);
    }
  }

  double sum(double mine) override { return reduced(mine, MPI_SUM); }
  double maximum(double mine) override { return reduced(mine, MPI_MAX); }

 private:
  static constexpr std::size_t block_words = 256;
  static double reduced(double mine, MPI_Op operation) {
    double all = 0;
    MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, operation, MPI_COMM_WORLD);
    return all;
  }

  int rank_ = 0, count_ = 1;
  std::vector<std::uint32_t> block_, blocks_;
};

}  // namespace

std::shared_ptr<Ranks> world_ranks() {
  static const std::shared_ptr<Ranks> world =
      launched() ? std::static_pointer_cast<Ranks>(std::make_shared<MpiRanks>()) : std::make_shared<Ranks>();
  return world;
}
#else
std::shared_ptr<Ranks> world_ranks() {
  static const auto world = std::make_shared<Ranks>();
  return world;
}
#endif

}  // namespace bouton
