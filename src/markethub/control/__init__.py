"""The control database: jobs, executions, chunks, logs, tokens and subscriptions, and the queries on them."""
