"""`python -m foretide.simulate`: runs a policy over traces and compares what came of several runs."""
