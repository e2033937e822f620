"""What all pages share: access, forms, errors, formats."""
