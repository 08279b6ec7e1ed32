"""The peers as their users have them: built from their Go modules, installed from the manifests that these hold."""
