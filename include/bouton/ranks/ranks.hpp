#pragma once
// The processes that share a piece of work, on one machine or more.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bouton/base/result.hpp"

namespace bouton {

// Each rank holds its part of the work. Collective calls: every rank makes them in the same order. The default is one
// process.
class Ranks {
 public:
  virtual ~Ranks() = default;
  [[nodiscard]] virtual int rank() const { return 0; }
  [[nodiscard]] virtual int count() const { return 1; }
  // The concatenation, in the order of ranks, of what each gives.
  virtual void all_gather(const std::vector<std::uint32_t>& mine, std::vector<std::uint32_t>& all);
  virtual void all_gather_bytes(const std::string& mine, std::vector<std::string>& all);
  // The same where every rank has `count` numbers in its own place of `all` [ranks, count] already.
  virtual void all_gather_in_place(float* all, std::size_t count);
  virtual double sum(double mine) { return mine; }
  virtual double maximum(double mine) { return mine; }
};
// MPI's world, where this process was started by mpirun (Open MPI, MPICH or SLURM say so in the environment) and Bouton
// was built with MPI; otherwise one process. Initialises MPI once; it is finalised at exit.
[[nodiscard]] std::shared_ptr<Ranks> world_ranks();

// What one rank found wrong is wrong for all: each gives its own diagnostics, all get the first that any has.
class Agreement {
 public:
  explicit Agreement(Ranks& ranks) : ranks_(ranks) {}
  Status operator()(const Status& mine);
  std::int64_t from_first(std::int64_t value);

 private:
  Ranks& ranks_;
};

}  // namespace bouton
