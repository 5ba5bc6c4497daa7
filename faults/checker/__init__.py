"""A checker in the manner of Jepsen: controllers at odds over the same jobs on hosts that break, and what was
reported to them held against what really ran.

`plan` draws what is to happen in an episode from a seed, `episode` makes it happen on real hosts, `command` is what the
jobs run and what they leave behind of it, `judge` finds reports that were not true, `reduce` for what it takes.
"""
