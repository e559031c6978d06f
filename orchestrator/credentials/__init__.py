"""Who the server is and who may talk to it: CA, certificates, tokens, keys, admin kubeconfig.

Owns the files under `pki/`, `tokens.json` and `admin.kubeconfig` of the state directory. Knows
nothing of HTTP. Start reading at `ensure.py`.
"""
