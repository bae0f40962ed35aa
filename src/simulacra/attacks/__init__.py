"""Adversarial examples: attacks on classifiers, and training against them."""
