"""Checks of cases of atoms, a function each; importing a module files its checks."""

from atoms import labels, moving, predicting, reading, reference_energies, training
