"""How an inventory is written: YAML, INI, names with ranges and ports. Text becomes groups and hosts of a tree."""
