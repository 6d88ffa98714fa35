//! The one column table of the flow record, and what is derived from it.
//!
//! [`COLUMNS`] and [`EXTRA_COLUMNS`] say of every column its name, type, tier, unit, JSON name and meaning. The Arrow schema
//! ([`arrow_schema`]), the JSON lines ([`JsonWriter`]) and the reference page ([`markdown`]) come from there, and
//! [`visit`] is the only place that says which value of a [`rockfish_flow::FlowRecord`] stands in which column.
//!
//! The table reaches to the 63 columns of the Enterprise tier. The meter fills the first 44; a column whose value is not
//! known for a flow is null, so those from 45 on are nullable.
#![forbid(unsafe_code)]

mod arrow;
mod column;
mod docs;
mod flow_id;
mod json;
mod table;
pub mod text;
mod visit;

pub use arrow::arrow_schema;
pub use column::{Column, Element, Field, Group, Tier, Type, UnknownTier};
pub use docs::markdown;
pub use flow_id::{FlowIdNamespace, ROOT_NAMESPACE};
pub use json::JsonWriter;
pub use table::{COLUMNS, EXTRA_COLUMNS, column, columns, extra_field};
pub use visit::{Visit, visit};
