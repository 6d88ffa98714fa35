//! Names that changed from one release of nDPI to the next, so that a label means the same with any of them.

/// The name in nDPI 5.0 of a protocol that an earlier release calls `name`.
pub(crate) fn current_name(name: &str) -> &str {
    OLDER.binary_search_by_key(&name, |(older, _)| older).map_or(name, |place| OLDER[place].1)
}

/// By the older name: they are searched.
const OLDER: &[(&str, &str)] = &[
    ("Collectd", "collectd"),
    ("DCE_RPC", "DCERPC"),
    ("Drda", "DRDA"),
    ("GoogleHangout", "GoogleMeet"),
    ("GoogleHangoutDuo", "GoogleCall"),
    ("GooglePlus", "Google"),
    ("Guildwars", "GuildWars2"),
    ("Hotmail", "Outlook"),
    ("IPsec", "IPSec"),
    ("LotusNotes", "HCL_Notes"),
    ("Messenger", "FacebookMessenger"),
    ("OSPF", "IP_OSPF"),
    ("Redis", "RESP"),
    ("Sina(Weibo)", "SinaWeibo"),
    ("SkypeCall", "TeamsCall"),
    ("Skype_Teams", "Teams"),
    ("Skype_TeamsCall", "TeamsCall"),
    ("Starcraft", "Blizzard"),
    ("UbuntuONE", "Canonical"),
    ("Warcraft3", "Blizzard"),
    ("Z39.50", "Z3950"),
    ("s7comm", "S7Comm"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(OLDER.is_sorted_by(|one, other| one.0 < other.0));
        assert_eq!(current_name("IPsec"), "IPSec");
        assert_eq!(current_name("TLS"), "TLS");
    }
}
