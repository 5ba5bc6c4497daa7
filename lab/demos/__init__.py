"""The product at work on the lab's servers."""
