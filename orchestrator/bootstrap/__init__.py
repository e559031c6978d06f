"""From an inventory to a running platform: inventory, facts to steps (pure), fabric runner."""
