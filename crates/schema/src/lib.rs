//! The one column table of the flow record, and what is derived from it.
