"""Texts: sentences, their words, and a grammar that generates and parses sentences."""
