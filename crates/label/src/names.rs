//! Names of protocols and services as numbers.
//!
//! A flow's label holds two numbers; text is made when a record is written, perhaps by another thread. So the numbers are
//! those of one table for the whole process: the names that this crate knows come first, those that a library or a custom
//! file brings are added when a labeler is made. Names are never taken away. Which number a name has may differ from run to
//! run, so numbers are not for writing.

use std::collections::HashMap;
use std::sync::{OnceLock, PoisonError, RwLock};

use crate::Category;

/// A name of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AppName(u16);

/// There are as many names as can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST} names of protocols, expected fewer custom ones")]
pub struct TooManyNames;

/// Names that the table holds at most.
const MOST: usize = 1 << 15;

#[derive(Default)]
struct Added {
    names: Vec<&'static str>,
    numbers: HashMap<String, u16>,
}

fn added() -> &'static RwLock<Added> {
    static ADDED: OnceLock<RwLock<Added>> = OnceLock::new();
    ADDED.get_or_init(|| {
        let mut added = Added::default();
        for (number, (name, _)) in KNOWN.iter().enumerate() {
            added.numbers.insert(name.to_ascii_lowercase(), number as u16);
        }
        RwLock::new(added)
    })
}

impl AppName {
    /// The number of a name; upper and lower case are one. A name that is not there is added.
    ///
    /// # Errors
    /// The table is full.
    pub fn intern(name: &str) -> Result<Self, TooManyNames> {
        if let Some(known) = Self::find(name) {
            return Ok(known);
        }
        let mut added = added().write().unwrap_or_else(PoisonError::into_inner);
        let key = name.to_ascii_lowercase();
        if let Some(number) = added.numbers.get(&key) {
            return Ok(Self(*number));
        }
        let number = KNOWN.len() + added.names.len();
        if number >= MOST {
            return Err(TooManyNames);
        }
        // Kept for as long as the process lives; there is a bound on how many.
        added.names.push(Box::leak(name.to_owned().into_boxed_str()));
        added.numbers.insert(key, number as u16);
        Ok(Self(number as u16))
    }

    /// The number of a name, if it is there.
    pub fn find(name: &str) -> Option<Self> {
        let added = added().read().unwrap_or_else(PoisonError::into_inner);
        added.numbers.get(&name.to_ascii_lowercase()).map(|number| Self(*number))
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        if let Some((name, _)) = KNOWN.get(usize::from(self.0)) {
            return name;
        }
        let added = added().read().unwrap_or_else(PoisonError::into_inner);
        added.names.get(usize::from(self.0) - KNOWN.len()).copied().unwrap_or("Unknown")
    }

    /// Its place in the table.
    pub const fn index(self) -> u16 {
        self.0
    }

    /// Its category, if this crate knows the name.
    pub fn category(self) -> Category {
        KNOWN.get(usize::from(self.0)).map_or(Category::UNSPECIFIED, |(_, category)| *category)
    }

    /// Whether it is a name that this crate knows by itself.
    pub(crate) fn is_known(self) -> bool {
        usize::from(self.0) < KNOWN.len()
    }
}

macro_rules! names {
    ($($category:ident { $($constant:ident $name:literal,)* })*) => {
        /// Only for its order: the place of each name.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "one variant for each constant below")]
        #[repr(u16)]
        enum Place { $($($constant,)*)* }

        const KNOWN: &[(&str, Category)] = &[$($(($name, Category::$category),)*)*];

        impl AppName {
            $($(#[doc = concat!("`", $name, "`")] pub const $constant: Self = Self(Place::$constant as u16);)*)*
        }
    };
}

// Names and categories as nDPI 5.0 has them. UNKNOWN has to be the first.
names! {
    UNSPECIFIED { UNKNOWN "Unknown", }
    ADVERTISEMENT { YANDEX_DIRECT "YandexDirect", }
    CHAT {
        DINGTALK "DingTalk", FACEBOOK_MESSENGER "FacebookMessenger", GOOGLE_CHAT "GoogleChat",
        GOOGLE_MEET "GoogleMeet", IRC "IRC", KAKAOTALK "KakaoTalk", LINE "Line", QQ "QQ", SIGNAL "Signal",
        TELEGRAM "Telegram", THREEMA "Threema", VIBER "Viber", WECHAT "WeChat", WHATSAPP "WhatsApp",
    }
    CLOUD {
        ALICLOUD "AliCloud", AMAZON_AWS "AmazonAWS", AMAZON_VIDEO "AmazonVideo", APPLE_PUSH "ApplePush", AZURE "Azure",
        CACHEFLY "Cachefly", CANONICAL "Canonical", DROPBOX "Dropbox", EDGECAST "Edgecast", GOOGLE_CLOUD "GoogleCloud",
        GOOGLE_DRIVE "GoogleDrive", HUAWEI_CLOUD "HuaweiCloud", LISP "LISP", MICROSOFT "Microsoft",
        NEST_LOG_SINK "NestLogSink", SALESFORCE "Salesforce", YANDEX_CLOUD "YandexCloud", YANDEX_DISK "YandexDisk",
    }
    COLLABORATIVE {
        DISCORD "Discord", GIT "Git", GITHUB "Github", GITLAB "GitLab", GOOGLE_CLASSROOM "GoogleClassroom",
        GOOGLE_DOCS "GoogleDocs", HCL_NOTES "HCL_Notes", MICROSOFT_365 "Microsoft365", MS_ONEDRIVE "MS_OneDrive",
        SLACK "Slack", TEAMS "Teams", WEBDAV "WebDAV",
    }
    CRYPTO_CURRENCY { BITCOIN "BITCOIN", ETHEREUM "ETHEREUM", }
    CYBERSECURITY { CYBERSEC "Cybersec", }
    DATABASE {
        CASSANDRA "Cassandra", CLICKHOUSE "ClickHouse", DRDA "DRDA", MONGODB "MongoDB", MSSQL "MsSQL-TDS",
        MYSQL "MySQL", ORACLE "Oracle", POSTGRESQL "PostgreSQL", RESP "RESP",
    }
    DATA_TRANSFER {
        AFP "AFP", CEPH "Ceph", CHECKMK "CHECKMK", CRASHLYTICS "Crashlytics", LUSTRE "Lustre", NFS "NFS", RSYNC "RSYNC",
        TFTP "TFTP",
    }
    DOWNLOAD {
        BITTORRENT "BitTorrent", EDONKEY "eDonkey", FTP_CONTROL "FTP_CONTROL", FTP_DATA "FTP_DATA", FTPS "FTPS",
        GNUTELLA "Gnutella", PASTEBIN "Pastebin", SMPP "SMPP", SYNCTHING "Syncthing", UFTP "UFTP",
        WHATSAPP_FILES "WhatsAppFiles",
    }
    EMAIL {
        GMAIL "GMail", IMAP "IMAP", IMAPS "IMAPS", OUTLOOK "Outlook", POP3 "POP3", POPS "POPS", SMTP "SMTP",
        SMTPS "SMTPS", YANDEX_MAIL "YandexMail",
    }
    GAME {
        ACTIVISION "Activision", BLIZZARD "Blizzard", DOTA2 "Dota2", ELECTRONIC_ARTS "ElectronicArts",
        EPIC_GAMES "EpicGames", GEFORCE_NOW "GeForceNow", GENSHIN_IMPACT "GenshinImpact", NINTENDO "Nintendo",
        PATH_OF_EXILE "PathofExile", PLAYSTATION "Playstation", RAKNET "RakNet", RIOT_GAMES "RiotGames",
        ROBLOX "Roblox", ROCKSTAR_GAMES "RockstarGames", SOURCE_ENGINE "Source_Engine", STEAM "Steam",
        STEAM_DATAGRAM_RELAY "SteamDatagramRelay", WORLD_OF_WARCRAFT "WorldOfWarcraft", XBOX "Xbox",
    }
    HEALTH { DICOM "DICOM", HL7 "HL7", }
    IOT_SCADA {
        BACNET "BACnet", DNP3 "DNP3", ETHERSBUS "Ether-S-Bus", HART_IP "HART-IP", IEC60870 "IEC60870",
        KNXNET_IP "KNXnet_IP", MODBUS "Modbus", OPC_UA "OPC-UA", PROFINET_IO "PROFINET_IO", S7COMM "S7Comm",
    }
    MEDIA {
        ICECAST "IceCast", MPEG_TS "MPEG_TS", RTMP "RTMP", RTP "RTP", RTSP "RTSP", RUTUBE "RUTUBE", SRTP "SRTP",
        YOUTUBE "YouTube", YOUTUBE_UPLOAD "YouTubeUpload",
    }
    MINING { MINING "Mining", }
    MUSIC {
        DEEZER "Deezer", IHEARTRADIO "IHeartRadio", LASTFM "LastFM", SIRIUSXM "SiriusXMRadio", SONOS "Sonos",
        SOUNDCLOUD "SoundCloud", SPOTIFY "Spotify", TIDAL "Tidal", TUNEIN "TuneIn", YANDEX_MUSIC "YandexMusic",
    }
    NETWORK {
        AVAST "AVAST", BFD "BFD", BGP "BGP", BLOOMBERG "Bloomberg", CAPWAP "CAPWAP", CITRIX "Citrix",
        DHCP "DHCP", DHCPV6 "DHCPV6", DIAMETER "Diameter", DNS "DNS", DNSCRYPT "DNScrypt", DOH_DOT "DoH_DoT",
        EGP "EGP", ETHERNET_IP "EthernetIP", FASTCGI "FastCGI", GRE "GRE", GTP "GTP", GTP_C "GTP_C",
        GTP_PRIME "GTP_PRIME", GTP_U "GTP_U", HSRP "HSRP", ICMP "ICMP", ICMPV6 "ICMPV6", IGMP "IGMP", IP_IN_IP "IP_in_IP",
        IP_OSPF "IP_OSPF", IP_PIM "IP_PIM", KERBEROS "Kerberos", LDP "LDP", LLMNR "LLMNR", MDNS "MDNS",
        MEMCACHED "Memcached", MERAKI_CLOUD "MerakiCloud", MIKROTIK "Mikrotik", NAT_PMP "NAT-PMP", NETFLOW "NetFlow",
        NTOP "ntop", OCSP "OCSP", OOKLA "Ookla", OPENFLOW "OpenFlow", PGM "PGM", RADIUS "Radius", SAP "SAP",
        SCTP "SCTP", SFLOW "sFlow", SNMP "SNMP", STUN "STUN", TEREDO "Teredo", TESLA "TeslaServices", UBIQUITY "Ubiquity",
        VRRP "VRRP", VXLAN "VXLAN", WHOIS "Whois-DAS", WSD "WSD", ZABBIX "Zabbix",
    }
    REMOTE_ACCESS {
        ANYDESK "AnyDesk", RDP "RDP", RSH "RSH", SSH "SSH", TEAMVIEWER "TeamViewer", TELNET "Telnet", VMWARE "VMware",
        VNC "VNC", XDMCP "XDMCP",
    }
    RPC {
        AMQP "AMQP", COAP "COAP", DCERPC "DCERPC", JRMI "JRMI", JSON_RPC "JSON-RPC", KAFKA "Kafka", MQTT "MQTT",
        NATS "Nats", RTPS "RTPS", RX "RX", SLP "Service_Location_Protocol", SOAP "SOAP", SOMEIP "SOMEIP", STOMP "STOMP",
        THRIFT "Thrift", ZEROMQ "ZeroMQ",
    }
    SHOPPING {
        EBAY "eBay", SHEIN "Shein", TAOBAO "Taobao", TEMU "Temu", YANDEX_MARKET "YandexMarket",
    }
    SOCIAL_NETWORK {
        BADOO "Badoo", BLUESKY "Bluesky", FACEBOOK "Facebook", FACEBOOK_REEL_STORY "FbookReelStory",
        INSTAGRAM "Instagram", LIKEE "Likee", LINKEDIN "LinkedIn", MASTODON "Mastodon", PINTEREST "Pinterest",
        REDDIT "Reddit", SINA "Sina", SINA_WEIBO "SinaWeibo", SNAPCHAT "Snapchat", TENCENT "Tencent",
        THREADS "Threads", TIKTOK "TikTok", TUMBLR "Tumblr", TWITTER "Twitter", VK "VK",
    }
    SOFTWARE_UPDATE {
        APPLE_STORE "AppleStore", PLAY_STORE "PlayStore", WINDOWS_UPDATE "WindowsUpdate",
    }
    STREAMING {
        APPLE_ITUNES "AppleiTunes", APPLE_TV "AppleTVPlus", DAILYMOTION "Dailymotion", DAZN "Dazn",
        DISNEY_PLUS "DisneyPlus", ESPN "Espn", HBO "HBO", HULU "Hulu", IQIYI "iQIYI", LIVESTREAM "Livestream",
        PANDORA "Pandora", PARAMOUNT_PLUS "ParamountPlus", RUMBLE "Rumble", TENCENT_VIDEO "Tencentvideo", VIMEO "Vimeo",
        VUDU "Vudu",
    }
    SYSTEM {
        COLLECTD "collectd", ELASTICSEARCH "Elasticsearch", IPP "IPP", LDAP "LDAP", NETBIOS "NetBIOS", NTP "NTP",
        PTP "PTPv2", RMCP "RMCP", SMB_V1 "SMBv1", SMB_V23 "SMBv23", SSDP "SSDP", SYSLOG "Syslog",
    }
    VIDEO {
        ADOBE_CONNECT "AdobeConnect", BFCP "BFCP", IFLIX "IFLIX", KICK "Kick", NETFLIX "NetFlix",
        PLURALSIGHT "Pluralsight", TWITCH "Twitch", ZOOM "Zoom",
    }
    VIRTUAL_ASSISTANT {
        AMAZON_ALEXA "AmazonAlexa", APPLE_SIRI "AppleSiri", YANDEX_ALICE "YandexAlice",
    }
    VOIP {
        FACEBOOK_VOIP "FacebookVoip", FUZE "Fuze", GOOGLE_CALL "GoogleCall", GOTO "GoTo", H323 "H323", IAX "IAX",
        MGCP "MGCP", MUMBLE "Mumble", NOE "NOE", RTCP "RTCP", SIGNAL_VOIP "SignalVoip", SIP "SIP", SKINNY "CiscoSkinny",
        TEAMS_CALL "TeamsCall", TEAMSPEAK "TeamSpeak", TELEGRAM_VOIP "TelegramVoip", WEBEX "Webex",
        WHATSAPP_CALL "WhatsAppCall",
    }
    VPN {
        AH "AH", CISCO_VPN "CiscoVPN", CLOUDFLARE_WARP "CloudflareWarp", ESP "ESP", HOTSPOT_SHIELD "HotspotShield",
        ICLOUD_PRIVATE_RELAY "iCloudPrivateRelay", IPSEC "IPSec", MULLVAD "Mullvad", NORD_VPN "NordVPN",
        OPENVPN "OpenVPN", OPERA_VPN "OperaVPN", PPTP "PPTP", PROTON_VPN "ProtonVPN", SURFSHARK "SurfShark",
        TAILSCALE "Tailscale", TINC "TINC", TOR "Tor", TUNNEL_BEAR "TunnelBear", WINDSCRIBE "Windscribe",
        WIREGUARD "WireGuard",
    }
    WEB {
        ACCUWEATHER "AccuWeather", ALIBABA "Alibaba", AMAZON "Amazon", APPLE "Apple", APPLE_ICLOUD "AppleiCloud",
        CLOUDFLARE "Cloudflare", CNN "CNN", DATA_SAVER "DataSaver", DIGITAL_OCEAN "DigitalOcean", DTLS "DTLS",
        GOOGLE "Google", GOOGLE_MAPS "GoogleMaps", GOOGLE_SERVICES "GoogleServices", HTTP "HTTP", HTTP2 "HTTP2",
        HTTP_CONNECT "HTTP_Connect", HTTP_PROXY "HTTP_Proxy", HUAWEI "Huawei", JABBER "Jabber", MOZILLA "Mozilla",
        NAVER "Naver", NVIDIA "Nvidia", OPENDNS "OpenDNS", QUIC "QUIC", SOCKS "SOCKS", TLS "TLS", USENET "Usenet",
        WAZE "Waze", WEBSOCKET "WebSocket", WIKIPEDIA "Wikipedia", XIAOMI "Xiaomi", YAHOO "Yahoo", YANDEX "Yandex",
        YANDEX_METRIKA "YandexMetrika",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        assert_eq!(AppName::default(), AppName::UNKNOWN);
        assert_eq!(AppName::UNKNOWN.index(), 0);
        for (number, (name, _)) in KNOWN.iter().enumerate() {
            assert_eq!(AppName::find(name), Some(AppName(number as u16)), "{name} is there twice");
        }
        assert_eq!(AppName::TLS.as_str(), "TLS");
        assert_eq!(AppName::YOUTUBE.category(), Category::MEDIA);
        let added = AppName::intern("Own protocol").unwrap();
        assert_eq!(AppName::intern("own PROTOCOL"), Ok(added));
        assert_eq!(added.as_str(), "Own protocol");
        assert!(!added.is_known());
        assert_eq!(AppName::intern("tls"), Ok(AppName::TLS));
    }
}
