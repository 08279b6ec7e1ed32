"""The proving ground: Triton services on Kubernetes, request by request, under any policy."""
