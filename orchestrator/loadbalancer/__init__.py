"""Services to a supervised HAProxy: desired, diff, render (pure), runtime socket, supervisor."""
