"""What the edge agent and the central server must agree on. Standard library only."""

VERSION = "0.1.0"
