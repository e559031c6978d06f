"""The asyncio pieces shared by all long-lived parts: supervised tasks and logging context.

The only place that may create tasks or read the system clock. Start reading at `tasks.py`.
"""
