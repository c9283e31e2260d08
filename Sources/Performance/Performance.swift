// Benchmarks and plans: how fast training is, and what it will take.
