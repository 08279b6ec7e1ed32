"""`profile`: how long a batch takes on a class of hardware, measured on a replica of its own."""
