"""Every point at which an operator can be interrupted or misled, one after the other, on a real API server.

The operator runs in the process of the test, pass by pass, so that its k-th write is the same one in every run; around
it the test plays the users, the controllers and the watch.
"""
