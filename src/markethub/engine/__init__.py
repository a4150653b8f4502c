"""Runs executions: claim, lease, heartbeat, fence, sweep, retry; knows nothing of markets."""
