"""The parts that all rooms use: access, forms, errors, formats."""
