"""The same burst on KServe's controller, built from its Go module and set up by the manifests in it."""
