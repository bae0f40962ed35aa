"""Adversarial examples: inputs made to be misread, and training against them."""
