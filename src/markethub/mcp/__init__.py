"""The door for AI tools: every tool is one route of the API, asked over MCP (HTTP or stdio)."""
