//! Payload signals: entropy, size statistics, first packets.
