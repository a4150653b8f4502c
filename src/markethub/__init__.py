"""MarketHub: a trading team's market and account data, complete, correct and fast to read."""
