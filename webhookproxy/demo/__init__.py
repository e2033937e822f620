"""The whole product on one machine, without a 3C Plus account: `bin/demo`."""
