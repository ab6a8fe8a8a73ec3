"""The steps of the config, options and subentry flows, one module for each subject; `config_flow.py` routes to them."""
