"""What users run today and what the best papers propose, as policies of the same seam as our own."""
