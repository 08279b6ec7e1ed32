"""What a burst of a thousand services costs: the operator against a loop that only makes its writes."""
