"""Client libraries against a real server and real hosts; `scripts/clients` prepares what they need."""
