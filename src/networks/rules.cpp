#include "bouton/networks/rules.hpp"

namespace bouton {
namespace {

ConnectionRule rule_of(ConnectionRule::Kind kind, std::int64_t number = 0) {
  ConnectionRule rule;
  rule.kind = kind;
  rule.number = number;
  return rule;
}

}  // namespace

ConnectionRule all_to_all() { return rule_of(ConnectionRule::Kind::all_to_all); }
ConnectionRule one_to_one() { return rule_of(ConnectionRule::Kind::one_to_one); }
ConnectionRule fixed_indegree(std::int64_t number) { return rule_of(ConnectionRule::Kind::fixed_indegree, number); }
ConnectionRule fixed_outdegree(std::int64_t number) { return rule_of(ConnectionRule::Kind::fixed_outdegree, number); }
ConnectionRule fixed_total_number(std::int64_t number) {
  return rule_of(ConnectionRule::Kind::fixed_total_number, number);
}

ConnectionRule pairwise_bernoulli(double probability) {
  ConnectionRule rule = rule_of(ConnectionRule::Kind::pairwise_bernoulli);
  rule.probability = probability;
  return rule;
}

ConnectionRule distance_dependent(DistanceKernel kernel) {
  ConnectionRule rule = rule_of(ConnectionRule::Kind::distance_dependent);
  rule.kernel = kernel;
  return rule;
}

ConnectionRule explicit_list(EdgeList edges) {
  ConnectionRule rule = rule_of(ConnectionRule::Kind::explicit_list);
  rule.edges = std::make_shared<const EdgeList>(std::move(edges));
  return rule;
}

const std::vector<std::string>& rule_names() {
  static const std::vector<std::string> names = {"all_to_all",         "one_to_one",         "fixed_indegree",
                                                 "fixed_outdegree",    "fixed_total_number", "pairwise_bernoulli",
                                                 "distance_dependent", "explicit_list"};
  return names;
}

std::string rule_name(ConnectionRule::Kind kind) { return rule_names()[static_cast<std::size_t>(kind)]; }

}  // namespace bouton
