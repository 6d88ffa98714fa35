//! Categories by nDPI's numbers, which have not changed from one release to the next; later releases add to them.

use std::fmt;

/// A category, as nDPI numbers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Category(pub u8);

macro_rules! categories {
    ($($constant:ident $number:literal $name:literal,)*) => {
        impl Category {
            $(#[doc = concat!("`", $name, "`")] pub const $constant: Self = Self($number);)*

            /// All that have a name.
            pub const ALL: &'static [Self] = &[$(Self($number),)*];

            /// Its name, as nDPI prints it; empty for a number that has none.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($number => $name,)*
                    _ => "",
                }
            }
        }
    };
}

categories! {
    UNSPECIFIED 0 "Unspecified",
    MEDIA 1 "Media",
    VPN 2 "VPN",
    EMAIL 3 "Email",
    DATA_TRANSFER 4 "DataTransfer",
    WEB 5 "Web",
    SOCIAL_NETWORK 6 "SocialNetwork",
    DOWNLOAD 7 "Download",
    GAME 8 "Game",
    CHAT 9 "Chat",
    VOIP 10 "VoIP",
    DATABASE 11 "Database",
    REMOTE_ACCESS 12 "RemoteAccess",
    CLOUD 13 "Cloud",
    NETWORK 14 "Network",
    COLLABORATIVE 15 "Collaborative",
    RPC 16 "RPC",
    STREAMING 17 "Streaming",
    SYSTEM 18 "System",
    SOFTWARE_UPDATE 19 "SoftwareUpdate",
    CUSTOM_1 20 "User custom category 1",
    CUSTOM_2 21 "User custom category 2",
    CUSTOM_3 22 "User custom category 3",
    CUSTOM_4 23 "User custom category 4",
    CUSTOM_5 24 "User custom category 5",
    MUSIC 25 "Music",
    VIDEO 26 "Video",
    SHOPPING 27 "Shopping",
    PRODUCTIVITY 28 "Productivity",
    FILE_SHARING 29 "FileSharing",
    CONNECTIVITY_CHECK 30 "ConnCheck",
    IOT_SCADA 31 "IoT-Scada",
    VIRTUAL_ASSISTANT 32 "VirtAssistant",
    CYBERSECURITY 33 "Cybersecurity",
    ADULT_CONTENT 34 "AdultContent",
    MINING 99 "Mining",
    MALWARE 100 "Malware",
    ADVERTISEMENT 101 "Advertisement",
    BANNED_SITE 102 "Banned_Site",
    SITE_UNAVAILABLE 103 "Site_Unavailable",
    ALLOWED_SITE 104 "Allowed_Site",
    ANTIMALWARE 105 "Antimalware",
    CRYPTO_CURRENCY 106 "Crypto_Currency",
    GAMBLING 107 "Gambling",
    HEALTH 108 "Health",
    ARTIFICIAL_INTELLIGENCE 109 "ArtifIntelligence",
    FINANCE 110 "Finance",
    NEWS 111 "News",
    SPORT 112 "Sport",
    BUSINESS 113 "Business",
    INTERNET 114 "Internet",
    BLOCKCHAIN 115 "Blockchain_Crypto",
    BLOG_FORUM 116 "Blog_Forum",
    GOVERNMENT 117 "Government",
    EDUCATION 118 "Education",
    CDN_PROXY 119 "CDN_Proxy",
    HARDWARE_SOFTWARE 120 "Hw_Sw",
    DATING 121 "Dating",
    TRAVEL 122 "Travel",
    FOOD 123 "Food",
    BOTS 124 "Bots",
    SCANNERS 125 "Scanners",
    HOSTING 126 "Hosting",
    ART 127 "Art",
    FASHION 128 "Fashion",
    BOOKS 129 "Books",
    SCIENCE 130 "Science",
    MAPS_NAVIGATION 131 "Maps_Navigation",
    LOGIN_PORTAL 132 "Login_Portal",
    LEGAL 133 "Legal",
    ENVIRONMENTAL_SERVICES 134 "Environmental_Services",
    CULTURE 135 "Culture",
    HOUSING 136 "Housing",
    TELECOMMUNICATION 137 "Telecommunication",
    TRANSPORTATION 138 "Transportation",
    DESIGN 139 "Design",
}

impl Category {
    /// The category of this name or number.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<u8>() {
            let category = Self(number);
            return (!category.name().is_empty()).then_some(category);
        }
        Self::ALL.iter().copied().find(|category| category.name().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
