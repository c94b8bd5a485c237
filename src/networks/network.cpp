#include "bouton/networks/network.hpp"

#include <algorithm>

#include "networks/compiler.hpp"

namespace bouton {
namespace {

template <typename List, typename Item>
int append(List& list, Item item) {
  list.push_back(std::move(item));
  return static_cast<int>(list.size()) - 1;
}

}  // namespace

PopulationId NetworkSpec::add_population(std::string name, PopulationOptions options) {
  return {append(populations, Population{std::move(name), std::move(options), std::nullopt})};
}

PopulationId NetworkSpec::add_generator(std::string name, GeneratorOptions options) {
  return {append(populations, Population{std::move(name), std::nullopt, std::move(options)})};
}

ProjectionId NetworkSpec::connect(PopulationId source, PopulationId target, ProjectionOptions options) {
  return {append(projections, Projection{source, target, std::move(options)})};
}

void NetworkSpec::drive(PopulationId target, PoissonDriveOptions options) {
  poisson_drives.push_back({target, std::move(options)});
}

void NetworkSpec::drive(PopulationId target, CurrentDriveOptions options) {
  current_drives.push_back({target, std::move(options)});
}

void NetworkSpec::restructure(ProjectionId projection, StructuralPlasticityOptions options) {
  restructurings.push_back({projection, std::move(options)});
}

Result<NetworkPtr> NetworkSpec::compile() const { return NetworkCompiler(*this).compile(); }

double Network::quantum(int population, int input) const {
  return quanta_.at(static_cast<std::size_t>(population)).at(static_cast<std::size_t>(input));
}

int Network::find(const std::string& population) const {
  const auto found =
      std::find_if(populations_.begin(), populations_.end(), [&](const Population& p) { return p.name == population; });
  return found == populations_.end() ? -1 : static_cast<int>(found - populations_.begin());
}

}  // namespace bouton
