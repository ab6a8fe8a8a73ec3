"""What the product costs, beside others and beside doing nothing, measured side by side in one run.

A machine is noisy: the figures of one round mean little, the medians' ratios within one run mean something, and nothing here
is a pass or a fail.
"""
