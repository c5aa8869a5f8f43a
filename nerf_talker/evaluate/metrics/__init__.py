"""One metric per module: its definition, unit, variant and source stand in the docstring."""
