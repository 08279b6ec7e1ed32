"""Pure: an InferenceService and its HardwareClass become the manifests of its children."""
