"""Texts: reading lines, vocabularies, and a grammar of English with known probabilities."""
