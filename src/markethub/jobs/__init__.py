"""What the engine runs: each job is a pure plan and an idempotent run."""
