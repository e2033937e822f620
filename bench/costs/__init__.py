"""What single parts cost, without a relay around them."""
