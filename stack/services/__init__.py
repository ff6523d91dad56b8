"""What the stack runs: one module per service."""
