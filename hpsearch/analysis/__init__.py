"""Numbers that a study supports: records computed from its tables, drawn elsewhere."""
