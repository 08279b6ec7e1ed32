"""`kubectl foretide`: what SREs and platform teams ask. Of a cluster it reads; only `profile` writes."""
