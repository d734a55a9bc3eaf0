//! What tests, chaos runs and benchmarks share.
