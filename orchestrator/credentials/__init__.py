"""The control plane's own keys: CA, certificates, tokens, kubeconfig. Knows only kit."""
