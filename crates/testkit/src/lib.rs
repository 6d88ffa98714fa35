//! Packet builder, golden tables and comparisons for tests.
