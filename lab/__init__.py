"""Real servers on loopback, for the demonstration, the benchmarks and the tests; never for production."""
