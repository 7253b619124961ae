"""Stand-ins on loopback for GitHub and for the endpoint: for the demo, the tests and the benchmarks."""
