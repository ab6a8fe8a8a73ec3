"""Tests of the package that works without Home Assistant; the folders mirror the package's own."""
