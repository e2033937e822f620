"""What all commands share: their input, output and errors."""
