"""What objects use of a namespace's quota, and which quotas count them: pure; start at usage.py."""
