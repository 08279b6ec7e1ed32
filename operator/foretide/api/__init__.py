"""The API of Foretide: kinds, rules, conditions and reasons. Knows nothing of clusters, metrics or time."""
