//! The Arrow schema of a file.

use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Schema, TimeUnit};

use crate::column::{Field, Tier, Type};
use crate::table::columns;

/// The Arrow schema of a tier's files, with the extra columns named.
pub fn arrow_schema(tier: Tier, extra: &[Field]) -> Schema {
    let fields = columns(tier, extra)
        .into_iter()
        .map(|column| ArrowField::new(column.name, data_type(column.data_type), column.nullable))
        .collect::<Vec<_>>();
    Schema::new(fields)
}

fn data_type(of: Type) -> DataType {
    let list = |item| DataType::List(Arc::new(ArrowField::new("element", item, false)));
    match of {
        Type::UInt8 => DataType::UInt8,
        Type::UInt16 => DataType::UInt16,
        Type::UInt32 => DataType::UInt32,
        Type::UInt64 => DataType::UInt64,
        Type::Int32 => DataType::Int32,
        Type::Float32 => DataType::Float32,
        Type::Utf8 => DataType::Utf8,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::ListUInt16 => list(DataType::UInt16),
        Type::ListUInt32 => list(DataType::UInt32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{COLUMNS, EXTRA_COLUMNS, column, extra_field};

    /// Names and types as the published schema has them, group by group.
    const CONTRACT: &str = "version:UInt16 flowid:Utf8 obname:Utf8 stime:Timestamp etime:Timestamp dur:UInt32 rtt:UInt32 \
        pcr:Int32 proto:Utf8 saddr:Utf8 daddr:Utf8 sport:UInt16 dport:UInt16 iflags:Utf8 uflags:Utf8 stcpseq:UInt32 \
        dtcpseq:UInt32 svlan:UInt16 dvlan:UInt16 spkts:UInt64 dpkts:UInt64 sbytes:UInt64 dbytes:UInt64 sentropy:UInt8 \
        dentropy:UInt8 ssmallpktcnt:UInt32 dsmallpktcnt:UInt32 slargepktcnt:UInt32 dlargepktcnt:UInt32 \
        snonemptypktcnt:UInt32 dnonemptypktcnt:UInt32 sfirstnonemptycnt:UInt16 dfirstnonemptycnt:UInt16 \
        smaxpktsize:UInt16 dmaxpktsize:UInt16 savgpayload:UInt16 davgpayload:UInt16 sstdevpayload:UInt16 \
        dstdevpayload:UInt16 spd:Utf8 spdt:Utf8 reason:Utf8 smac:Utf8? dmac:Utf8? \
        scountry:Utf8? dcountry:Utf8? scity:Utf8? dcity:Utf8? sasn:UInt32? dasn:UInt32? ndpi_appid:Utf8? \
        ndpi_category:Utf8? ndpi_risk_score:UInt32? ndpi_risk_severity:UInt8? \
        sasnorg:Utf8? dasnorg:Utf8? ndpi_ja4:Utf8? ndpi_ja3s:Utf8? ndpi_tcp_fp:Utf8? ndpi_fp:Utf8? \
        anomaly_score:Float32? anomaly_severity:Utf8? anomaly_factors:Utf8?";

    #[test]
    fn the_schema_is_the_published_one() {
        let contract = CONTRACT.split_whitespace().collect::<Vec<_>>();
        for tier in Tier::ALL {
            let schema = arrow_schema(tier, &[]);
            let shown = schema
                .fields()
                .iter()
                .map(|field| {
                    let name = match field.data_type() {
                        DataType::Timestamp(TimeUnit::Microsecond, Some(zone))
                            if &**zone == "UTC" =>
                        {
                            "Timestamp".to_owned()
                        }
                        other => other.to_string(),
                    };
                    format!("{}:{name}{}", field.name(), if field.is_nullable() { "?" } else { "" })
                })
                .collect::<Vec<_>>();
            assert_eq!(shown, contract[..tier.column_count()], "{tier}");
        }
    }

    #[test]
    fn extra_columns_come_last_in_the_tables_order() {
        let extra = [Field::IcmpType, Field::CommunityId, Field::IcmpType, Field::Version];
        let schema = arrow_schema(Tier::Basic, &extra);
        assert_eq!(schema.fields().len(), 56);
        assert_eq!(schema.field(54).name(), "community_id");
        assert_eq!(schema.field(55).name(), "icmp_type");
        assert_eq!(extra_field("icmp_type"), Some(Field::IcmpType));
        assert_eq!(extra_field("version"), None);
    }

    #[test]
    fn the_table_is_in_the_order_of_the_fields_and_names_are_unique() {
        let all = COLUMNS.iter().chain(&EXTRA_COLUMNS).collect::<Vec<_>>();
        for (i, row) in all.iter().enumerate() {
            assert_eq!(row.field as usize, i, "{}", row.name);
            assert_eq!(column(row.field), *row);
            for other in &all[..i] {
                assert!(row.name != other.name && row.json != other.json, "{}", row.name);
            }
        }
    }
}
