#pragma once
// A trained network as the deployment runtime runs it.

#include "bouton/base/result.hpp"
#include "bouton/learn/network.hpp"
#include "bouton/runtime/runtime_file.hpp"

namespace bouton::adapt {

// The same network, to be evaluated and not trained on: dropout left out, and every norm over a batch that follows a
// product folded into its weights and bias, worked out in double precision. The result shares no memory with `network`.
[[nodiscard]] learn::Network folded(const learn::Network& network);

// Weights of which at least this part is zero are stored and multiplied sparse.
inline constexpr double worth_sparse = 0.6;

// The folded network as a runtime file holds it, without notes, and without the neurons and channels that no weight
// leads on from. Stepped by the runtime, it gives the bits that folded(network) gives in evaluation with ordered sums
// (NetworkImpl::set_ordered), spikes and scores alike. An exception is the noise of stochastic neurons that lie as
// images: it is drawn in the order of pixels, channels innermost. Codes: not-in-runtime, which names every layer and
// read-out the runtime lacks; kernel-compile-failed, no-compiler (mechanisms of a user's own).
[[nodiscard]] Result<runtime::RuntimeFile> deployed(const learn::Network& network);

}  // namespace bouton::adapt
