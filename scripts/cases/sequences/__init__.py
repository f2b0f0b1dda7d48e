"""Checks of cases of sequences, a function each; importing a module files its checks."""

from sequences import reading, sampling, scoring, training
