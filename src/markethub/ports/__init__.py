"""What the core asks of the world, as small Protocols; adapters implement them without inheriting."""
