"""Networks as distributions: likelihoods, distributions and adversarial objectives."""
