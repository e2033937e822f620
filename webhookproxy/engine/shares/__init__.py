"""The owner's half of the engine: what runs in the process that owns a share of the companies."""
