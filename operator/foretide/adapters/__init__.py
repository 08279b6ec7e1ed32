"""The only code that talks: one protocol and one implementation for each outside system."""
