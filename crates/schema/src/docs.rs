//! The reference page of the columns.

use std::fmt::Write;

use crate::column::{Column, Group, Tier};
use crate::table::{COLUMNS, EXTRA_COLUMNS};

/// The page `docs/schema.md`.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    let mut number = 0;
    for tier in Tier::ALL {
        // Writing to a string cannot fail.
        let _ = write!(page, "\n## {}: {} columns\n", title(tier), tier.column_count());
        if tier != Tier::Community {
            page.push_str("\nThose above, and:\n");
        }
        page.push_str(TABLE_HEAD);
        for column in COLUMNS.iter().filter(|column| column.group == Group::Tier(tier)) {
            number += 1;
            push_row(&mut page, &number.to_string(), column);
        }
    }
    page.push_str(EXTRA_HEAD);
    page.push_str(TABLE_HEAD);
    for column in &EXTRA_COLUMNS {
        push_row(&mut page, "", column);
    }
    page.push_str(TAIL);
    page
}

fn title(tier: Tier) -> &'static str {
    match tier {
        Tier::Community => "Community",
        Tier::Basic => "Basic",
        Tier::Professional => "Professional",
        Tier::Enterprise => "Enterprise",
    }
}

fn push_row(page: &mut String, number: &str, column: &Column) {
    let Column { name, data_type, nullable, unit, json, element, description, .. } = column;
    let null = if *nullable { ", may be null" } else { "" };
    let _ = writeln!(
        page,
        "| {number} | `{name}` | {}{null} | {unit} | `{json}` | {element} | {description} |",
        data_type.name(),
    );
}

const HEAD: &str = "\
# The columns of a flow record

*Generated from the column table by `cargo xtask docs`; do not edit.*

A flow is bidirectional: the *source* (forward, `s…`) is the initiator, the sender of the first packet seen, unless that
packet is a TCP SYN+ACK, whose sender is the destination. *Payload* is what follows the TCP, UDP, SCTP or ICMP header (the
IP header for other protocols), by the lengths in the headers.

A column's JSON name is that of an IPFIX information element where one fits: *IANA* by the number in the registry (RFC 7012),
*CERT* by the number under enterprise 6871, *reverse* in the sense of RFC 5103, *own* where no registry has one. A JSON line
has `ipVersion` (IANA 60) besides, and leaves out what is not known.
";

const TABLE_HEAD: &str = "
| # | column | type | unit | JSON | element | meaning |
|---|---|---|---|---|---|---|
";

const EXTRA_HEAD: &str = "
## Extra columns

Off unless `output.extra_fields` names them; appended after the tier's columns in this order.
";

const TAIL: &str = "
## Flow ids

`flowid` is a UUID of version 5 (RFC 9562). The namespace of an observation domain is the UUID of its name in the namespace
`621db5c9-da77-4fb4-8708-5b57be81fe1e`. The name of a flow in it is, big-endian and without padding: IP version (1 octet),
protocol (1), VLAN id of the key or 0 (2), source and destination address (4 each, or 16 each for IPv6), source and
destination port (2 each; ICMP and ICMPv6 have type and code of the first packet in place of the latter), start in
microseconds since 1970 (8), ordinal among the flows with equal key and start (4).
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_row() {
        let page = markdown();
        for column in COLUMNS.iter().chain(&EXTRA_COLUMNS) {
            assert!(page.contains(&format!("| `{}` |", column.name)), "{}", column.name);
            assert!(column.description.ends_with('.'), "{}", column.name);
            assert!(!column.description.contains('|'), "{}", column.name);
        }
        let namespace = crate::text::uuid(&crate::ROOT_NAMESPACE);
        assert!(page.contains(&*String::from_utf8_lossy(&namespace)));
    }
}
