"""A server of the Model Context Protocol (MCP), with which an agent asks the providers on the network. Needs the extra `mcp`."""
