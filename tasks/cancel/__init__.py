"""Cancelling a run: its jobs are ended on their hosts, with proof."""
