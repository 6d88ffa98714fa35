//! What needs libpcap: filter expressions.
