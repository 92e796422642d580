"""Runs the engines of benches/peers side by side and writes the table."""
