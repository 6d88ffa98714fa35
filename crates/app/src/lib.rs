//! What every program shares: configuration, logging, signals, exit codes.
