"""A control plane, a Prometheus and an operator as processes of this machine, each of which a test may hurt.

Beside the embedded cluster and without a node: the pods are those of `e2e.faults.fleet`, which a test makes crash,
wait, lie and leave slowly as no real one does when it is asked to.
"""
