"""Value objects and documents that both sides share. Standard library only."""
