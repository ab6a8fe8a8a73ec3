"""Tests of ZeroConf AI: this folder's files with Home Assistant, `core` without it, `e2e` with real processes."""
