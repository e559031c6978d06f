"""How bytes and engine calls reach one host: SSH, Docker Engine, shim."""
