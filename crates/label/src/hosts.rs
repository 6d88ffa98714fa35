//! Which service a host name belongs to: well-known services by the domains that they say are theirs.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;

use crate::{AppName, Category};

/// The service of a host name and its category, by the longest domain that it is or ends with. `host` may have upper case
/// and a trailing dot.
pub fn service_of_host(host: &str) -> Option<(AppName, Category)> {
    let mut buffer = [0; 255];
    let host = lower(host, &mut buffer)?;
    suffixes(host).find_map(|suffix| table().get(suffix)).map(|entry| (entry.0, entry.1))
}

/// The name in lower case, without a trailing dot; nothing if it is too long for a host name.
pub(crate) fn lower<'a>(host: &str, buffer: &'a mut [u8; 255]) -> Option<&'a str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let target = buffer.get_mut(..host.len())?;
    target.copy_from_slice(host.as_bytes());
    target.make_ascii_lowercase();
    std::str::from_utf8(target).ok()
}

/// The name itself and what is left when its first labels are taken away, longest first.
pub(crate) fn suffixes(host: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(host);
    std::iter::from_fn(move || {
        let now = rest?;
        rest = now.split_once('.').map(|(_, tail)| tail);
        Some(now)
    })
}

/// A hash for tables that do not grow while packets come: who chooses names cannot make them slow.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |state: u64, word: u64| (state.rotate_left(29) ^ word).wrapping_mul(FACTOR);
        let (words, rest) = octets.as_chunks::<8>();
        let state = words.iter().fold(self.0, |state, word| mix(state, u64::from_le_bytes(*word)));
        let last =
            rest.iter().fold(octets.len() as u64, |word, octet| word << 8 | u64::from(*octet));
        let state = mix(state, last);
        // The table takes its place from the low bits and its tag from the high ones.
        self.0 = state ^ state >> 32;
    }
}

/// A table by names.
pub(crate) type NameMap<K, T> = HashMap<K, T, BuildHasherDefault<NameHasher>>;

type Entry = (AppName, Category);

fn table() -> &'static NameMap<&'static str, Entry> {
    static TABLE: OnceLock<NameMap<&'static str, Entry>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = NameMap::default();
        for (app, domains) in SERVICES {
            for domain in *domains {
                table.insert(*domain, (*app, app.category()));
            }
        }
        for (category, app, domains) in OTHER_CATEGORY {
            for domain in *domains {
                table.insert(*domain, (*app, *category));
            }
        }
        table
    })
}

/// Domains of services. A domain covers what is below it, unless that has a line of its own.
const SERVICES: &[(AppName, &[&str])] = &[
    // Search, mail and work.
    (
        AppName::GOOGLE,
        &[
            "google.com",
            "google.ad",
            "google.ae",
            "google.at",
            "google.be",
            "google.ca",
            "google.ch",
            "google.cl",
            "google.co.id",
            "google.co.il",
            "google.co.in",
            "google.co.jp",
            "google.co.kr",
            "google.co.nz",
            "google.co.th",
            "google.co.uk",
            "google.co.za",
            "google.com.ar",
            "google.com.au",
            "google.com.br",
            "google.com.co",
            "google.com.eg",
            "google.com.hk",
            "google.com.mx",
            "google.com.my",
            "google.com.pe",
            "google.com.ph",
            "google.com.pk",
            "google.com.sa",
            "google.com.sg",
            "google.com.tr",
            "google.com.tw",
            "google.com.ua",
            "google.com.vn",
            "google.cz",
            "google.de",
            "google.dk",
            "google.es",
            "google.eu",
            "google.fi",
            "google.fr",
            "google.gr",
            "google.hu",
            "google.ie",
            "google.it",
            "google.lt",
            "google.lv",
            "google.nl",
            "google.no",
            "google.pl",
            "google.pt",
            "google.ro",
            "google.rs",
            "google.ru",
            "google.se",
            "google.sk",
            "gstatic.com",
            "googleusercontent.com",
            "ggpht.com",
            "google-analytics.com",
            "app-measurement.com",
            "gvt1.com",
            "gvt2.com",
            "gvt3.com",
            "1e100.net",
            "goo.gl",
            "withgoogle.com",
            "googlesource.com",
            "golang.org",
            "chromium.org",
        ],
    ),
    (
        AppName::GOOGLE_SERVICES,
        &[
            "googletagmanager.com",
            "googletagservices.com",
            "googleapis.com",
            "mtalk.google.com",
            "alt1-mtalk.google.com",
        ],
    ),
    (AppName::GOOGLE_CLOUD, &["cloudfunctions.net", "run.app"]),
    (AppName::GOOGLE_MAPS, &["maps.google.com", "maps.gstatic.com"]),
    (AppName::GOOGLE_DRIVE, &["drive.google.com"]),
    (AppName::GOOGLE_DOCS, &["docs.google.com"]),
    (AppName::GOOGLE_CLASSROOM, &["classroom.google.com"]),
    (AppName::GOOGLE_MEET, &["meet.google.com"]),
    (AppName::GOOGLE_CHAT, &["chat.google.com"]),
    (AppName::GMAIL, &["gmail.com", "mail.google.com", "googlemail.com"]),
    (
        AppName::PLAY_STORE,
        &[
            "play.google.com",
            "play.googleapis.com",
            "android.clients.google.com",
            "play-fe.googleapis.com",
            "play-lh.googleusercontent.com",
            "market.android.com",
        ],
    ),
    (
        AppName::YOUTUBE,
        &[
            "youtube.com",
            "youtu.be",
            "youtube-nocookie.com",
            "youtubekids.com",
            "googlevideo.com",
            "ytimg.com",
            "yt3.ggpht.com",
            "yt3.googleusercontent.com",
            "youtubei.googleapis.com",
        ],
    ),
    (AppName::YOUTUBE_UPLOAD, &["upload.youtube.com"]),
    (AppName::DATA_SAVER, &["googlezip.net", "datasaver.googleapis.com"]),
    (AppName::NEST_LOG_SINK, &["logsink.devices.nest.com"]),
    (AppName::CRASHLYTICS, &["crashlytics.com"]),
    (AppName::WAZE, &["waze.com"]),
    (
        AppName::DOH_DOT,
        &[
            "dns.google",
            "cloudflare-dns.com",
            "one.one.one.one",
            "dns.quad9.net",
            "doh.opendns.com",
            "dns.nextdns.io",
            "dns.adguard-dns.com",
            "dns.adguard.com",
            "doh.cleanbrowsing.org",
            "dns.google.com",
            "doh.xfinity.com",
            "dns.alidns.com",
            "doh.pub",
            "dot.pub",
            "doh.dns.sb",
            "doh.libredns.gr",
            "dns.sb",
            "dns.controld.com",
            "doh.applied-privacy.net",
        ],
    ),
    (
        AppName::MICROSOFT,
        &[
            "microsoft.com",
            "msn.com",
            "msftncsi.com",
            "msftconnecttest.com",
            "windows.com",
            "s-microsoft.com",
            "live.com",
            "msocdn.com",
            "bing.net",
            "nuget.org",
            "msedge.net",
        ],
    ),
    (
        AppName::MICROSOFT_365,
        &[
            "bing.com",
            "microsoftonline-p.com",
            "msecnd.net",
            "office.com",
            "office.net",
            "office365.com",
            "microsoft365.com",
            "microsoftonline.com",
            "login.live.com",
            "officeapps.live.com",
            "gfx.ms",
            "msauth.net",
            "msftauth.net",
            "onenote.com",
            "onenote.net",
            "sway.com",
            "yammer.com",
            "cloud.microsoft",
            "live.net",
            "office365.us",
        ],
    ),
    (
        AppName::OUTLOOK,
        &[
            "outlook.cloud.microsoft",
            "outlook.com",
            "outlook.live.com",
            "outlook.office.com",
            "outlook.office365.com",
            "hotmail.com",
        ],
    ),
    (
        AppName::MS_ONEDRIVE,
        &[
            "sharepoint.com",
            "onedrive.com",
            "onedrive.live.com",
            "storage.live.com",
            "1drv.com",
            "1drv.ms",
            "livefilestore.com",
        ],
    ),
    (
        AppName::TEAMS,
        &[
            "teams.microsoft.com",
            "teams.live.com",
            "skype.com",
            "skypeassets.com",
            "lync.com",
            "trouter.io",
        ],
    ),
    (
        AppName::WINDOWS_UPDATE,
        &["windowsupdate.com", "update.microsoft.com", "delivery.mp.microsoft.com"],
    ),
    (
        AppName::AZURE,
        &[
            "visualstudio.com",
            "azure.com",
            "azure.net",
            "azureedge.net",
            "azurewebsites.net",
            "windows.net",
            "azurefd.net",
            "cloudapp.net",
            "trafficmanager.net",
            "azure-api.net",
            "azurecr.io",
        ],
    ),
    (AppName::XBOX, &["xbox.com", "xboxlive.com", "xboxservices.com", "xboxab.com"]),
    (
        AppName::GITHUB,
        &["github.com", "github.io", "githubusercontent.com", "githubassets.com", "ghcr.io"],
    ),
    (AppName::GITLAB, &["gitlab.com", "gitlab.io", "gitlab-static.net"]),
    (AppName::LINKEDIN, &["linkedin.com", "licdn.com", "lnkd.in"]),
    (
        AppName::APPLE,
        &[
            "apple.com",
            "mzstatic.com",
            "cdn-apple.com",
            "apple-dns.net",
            "aaplimg.com",
            "apple.news",
            "apple-mapkit.com",
            "apple-cloudkit.com",
            "apple.com.akadns.net",
        ],
    ),
    (AppName::APPLE_ICLOUD, &["icloud.com", "icloud-content.com", "me.com"]),
    (
        AppName::ICLOUD_PRIVATE_RELAY,
        &["mask.icloud.com", "mask-h2.icloud.com", "mask-api.icloud.com"],
    ),
    (AppName::APPLE_PUSH, &["push.apple.com"]),
    (AppName::APPLE_SIRI, &["guzzoni.apple.com"]),
    (AppName::APPLE_STORE, &["buy.itunes.apple.com"]),
    (AppName::APPLE_ITUNES, &["itunes.apple.com", "itunes.com"]),
    (AppName::APPLE_TV, &["tv.apple.com"]),
    (
        AppName::AMAZON,
        &[
            "amazon.com",
            "amazon.ca",
            "amazon.co.jp",
            "amazon.co.uk",
            "amazon.com.au",
            "amazon.com.br",
            "amazon.com.mx",
            "amazon.de",
            "amazon.es",
            "amazon.fr",
            "amazon.in",
            "amazon.it",
            "amazon.nl",
            "amazon.pl",
            "amazon.se",
            "amazon-adsystem.com",
            "ssl-images-amazon.com",
            "images-amazon.com",
        ],
    ),
    (
        AppName::AMAZON_AWS,
        &["amazonaws.com", "amazonaws.com.cn", "awsstatic.com", "awsglobalaccelerator.com"],
    ),
    (
        AppName::AMAZON_VIDEO,
        &[
            "media-amazon.com",
            "primevideo.com",
            "aiv-cdn.net",
            "aiv-delivery.net",
            "atv-ps.amazon.com",
            "pv-cdn.net",
            "amazonvideo.com",
        ],
    ),
    (AppName::AMAZON_ALEXA, &["alexa.amazon.com", "alexa.com"]),
    (
        AppName::YAHOO,
        &["yahoo.com", "yahoo.co.jp", "yimg.com", "yahooapis.com", "yahoodns.net", "flickr.com"],
    ),
    (
        AppName::YANDEX,
        &["yandex.ru", "yandex.com", "yandex.net", "ya.ru", "yastatic.net", "yandex.st"],
    ),
    (AppName::YANDEX_MAIL, &["mail.yandex.ru", "mail.yandex.com", "mail.yandex.net"]),
    (AppName::YANDEX_MUSIC, &["music.yandex.ru", "music.yandex.com", "music.yandex.net"]),
    (AppName::YANDEX_DISK, &["disk.yandex.ru", "disk.yandex.com", "disk.yandex.net"]),
    (AppName::YANDEX_CLOUD, &["cloud.yandex.ru", "cloud.yandex.com", "yandexcloud.net"]),
    (AppName::YANDEX_MARKET, &["market.yandex.ru", "market.yandex.net"]),
    (AppName::YANDEX_METRIKA, &["metrika.yandex.ru"]),
    (AppName::YANDEX_DIRECT, &["direct.yandex.ru"]),
    (
        AppName::SLACK,
        &[
            "slack.com",
            "slack-edge.com",
            "slackb.com",
            "slack-msgs.com",
            "slack-imgs.com",
            "slack-files.com",
            "slack-core.com",
        ],
    ),
    (AppName::ZOOM, &["zoom.us", "zoom.com", "zoomgov.com", "zoomcdn.com"]),
    (AppName::WEBEX, &["webex.com", "wbx2.com", "webexcontent.com", "ciscospark.com"]),
    (
        AppName::GOTO,
        &[
            "goto.com",
            "gotomeeting.com",
            "gotowebinar.com",
            "logmein.com",
            "logmeininc.com",
            "getgo.com",
        ],
    ),
    (AppName::ADOBE_CONNECT, &["adobeconnect.com", "acms.com"]),
    (AppName::FUZE, &["fuze.com", "fuzemeeting.com", "thinkingphones.com"]),
    (
        AppName::DROPBOX,
        &[
            "dropbox.com",
            "dropboxapi.com",
            "dropboxstatic.com",
            "dropboxusercontent.com",
            "dropbox-dns.com",
        ],
    ),
    (
        AppName::SALESFORCE,
        &[
            "salesforce.com",
            "force.com",
            "salesforceliveagent.com",
            "salesforce-sites.com",
            "documentforce.com",
        ],
    ),
    (AppName::CITRIX, &["citrix.com", "citrixonline.com", "cloud.com"]),
    (AppName::TEAMVIEWER, &["teamviewer.com", "teamviewer.cn", "dyngate.com"]),
    (AppName::ANYDESK, &["anydesk.com"]),
    (AppName::VMWARE, &["vmware.com"]),
    (AppName::PASTEBIN, &["pastebin.com"]),
    (
        AppName::CANONICAL,
        &["ubuntu.com", "canonical.com", "launchpad.net", "snapcraft.io", "snapcraftcontent.com"],
    ),
    (
        AppName::MOZILLA,
        &["mozilla.org", "mozilla.com", "mozilla.net", "firefox.com", "mozaws.net", "mozgcp.net"],
    ),
    (AppName::HUAWEI, &["huawei.com", "vmall.com"]),
    (
        AppName::HUAWEI_CLOUD,
        &[
            "hicloud.com",
            "huaweicloud.com",
            "cloud.huawei.com",
            "dbankcloud.com",
            "dbankcdn.com",
            "dbankcloud.cn",
            "dbankedge.net",
        ],
    ),
    (AppName::XIAOMI, &["xiaomi.com", "xiaomi.net", "miui.com", "mi.com", "mi-img.com"]),
    (AppName::NVIDIA, &["nvidia.com"]),
    (AppName::TESLA, &["tesla.com", "teslamotors.com", "tesla.services"]),
    (AppName::NTOP, &["ntop.org"]),
    (AppName::SYNCTHING, &["syncthing.net"]),
    (AppName::UBIQUITY, &["ui.com", "ubnt.com"]),
    (AppName::MIKROTIK, &["mikrotik.com"]),
    (AppName::MERAKI_CLOUD, &["meraki.com"]),
    // Carriers of content and clouds.
    (
        AppName::CLOUDFLARE,
        &[
            "cloudflare.com",
            "cloudflare.net",
            "cloudflareinsights.com",
            "cdnjs.com",
            "workers.dev",
            "cloudflarestream.com",
        ],
    ),
    (AppName::CLOUDFLARE_WARP, &["cloudflareclient.com", "cloudflarewarp.com"]),
    (AppName::EDGECAST, &["edgecastcdn.net", "edgecast.com"]),
    (AppName::CACHEFLY, &["cachefly.net", "cachefly.com"]),
    (AppName::DIGITAL_OCEAN, &["digitalocean.com", "digitaloceanspaces.com", "ondigitalocean.app"]),
    (
        AppName::ALIBABA,
        &[
            "aliyuncs.com",
            "alibaba.com",
            "aliexpress.com",
            "alicdn.com",
            "aliapp.com",
            "1688.com",
            "alipay.com",
        ],
    ),
    (AppName::ALICLOUD, &["aliyun.com", "alibabacloud.com"]),
    (AppName::TAOBAO, &["taobao.com", "tmall.com"]),
    (AppName::OPENDNS, &["opendns.com"]),
    (AppName::OOKLA, &["speedtest.net", "ookla.com", "ooklaserver.net"]),
    (
        AppName::CYBERSEC,
        &[
            "avast.com",
            "avcdn.net",
            "avg.com",
            "kaspersky.com",
            "eset.com",
            "mcafee.com",
            "norton.com",
        ],
    ),
    // People.
    (
        AppName::FACEBOOK,
        &["facebook.com", "facebook.net", "fb.com", "fb.me", "fbsbx.com", "fbcdn.net", "meta.com"],
    ),
    (AppName::FACEBOOK_REEL_STORY, &["xx.fbcdn.net", "fna.fbcdn.net"]),
    (
        AppName::FACEBOOK_MESSENGER,
        &["messenger.com", "m.me", "edge-mqtt.facebook.com", "mqtt-mini.facebook.com"],
    ),
    (AppName::FACEBOOK_VOIP, &["turner.facebook"]),
    (AppName::INSTAGRAM, &["instagram.com", "cdninstagram.com", "ig.me", "igcdn.com"]),
    (AppName::THREADS, &["threads.net", "threads.com"]),
    (AppName::WHATSAPP, &["whatsapp.com", "whatsapp.net", "wa.me", "whatsapp.biz"]),
    (
        AppName::WHATSAPP_FILES,
        &["fna.whatsapp.net", "cdn.whatsapp.net", "mmg.whatsapp.net", "mmg-fna.whatsapp.net"],
    ),
    (
        AppName::TELEGRAM,
        &["telegram.org", "t.me", "telegram.me", "telegram.dog", "telesco.pe", "tdesktop.com"],
    ),
    (AppName::SIGNAL, &["signal.org", "whispersystems.org", "signal.art", "signal.group"]),
    (AppName::THREEMA, &["threema.ch"]),
    (AppName::VIBER, &["viber.com"]),
    (AppName::WECHAT, &["wechat.com", "wechatapp.com", "servicewechat.com"]),
    (AppName::QQ, &["qq.com", "qpic.cn", "gtimg.cn"]),
    (AppName::TENCENT, &["tencent.com", "tencent-cloud.com", "myqcloud.com", "tencentcs.com"]),
    (AppName::TENCENT_VIDEO, &["v.qq.com", "video.qq.com"]),
    (AppName::DINGTALK, &["dingtalk.com"]),
    (AppName::LINE, &["line.me", "line-apps.com", "line-scdn.net", "naver.jp"]),
    (AppName::KAKAOTALK, &["kakao.com", "kakaocdn.net", "kakao.co.kr"]),
    (AppName::NAVER, &["naver.com", "naver.net", "pstatic.net"]),
    (
        AppName::DISCORD,
        &[
            "discord.com",
            "discordapp.com",
            "discord.gg",
            "discordapp.net",
            "discord.media",
            "discordcdn.com",
        ],
    ),
    (AppName::TWITTER, &["twitter.com", "twimg.com", "t.co", "x.com", "pscp.tv", "periscope.tv"]),
    (AppName::BLUESKY, &["bsky.app", "bsky.social", "bsky.network", "atproto.com"]),
    (
        AppName::MASTODON,
        &["mastodon.social", "joinmastodon.org", "mastodon.online", "mstdn.social"],
    ),
    (
        AppName::TIKTOK,
        &[
            "tiktok.com",
            "tiktokv.com",
            "tiktokcdn.com",
            "tiktokcdn-us.com",
            "musical.ly",
            "tiktokv.us",
            "tiktokv.eu",
            "muscdn.com",
            "ttwstatic.com",
            "tiktokw.us",
        ],
    ),
    (
        AppName::SNAPCHAT,
        &["snapchat.com", "sc-cdn.net", "snap-dev.net", "snapads.com", "sc-gw.com", "snapkit.com"],
    ),
    (AppName::REDDIT, &["reddit.com", "redd.it", "redditmedia.com", "redditstatic.com"]),
    (AppName::PINTEREST, &["pinterest.com", "pinimg.com", "pin.it"]),
    (AppName::TUMBLR, &["tumblr.com"]),
    (
        AppName::VK,
        &["vk.com", "vk.me", "vkontakte.ru", "userapi.com", "vk-cdn.net", "vkuser.net", "vk.ru"],
    ),
    (AppName::LIKEE, &["like.video", "likee.video", "likeevideo.com"]),
    (AppName::BADOO, &["badoo.com", "badoocdn.com"]),
    (AppName::SINA, &["sina.com.cn", "sinaimg.cn", "sina.cn"]),
    (AppName::SINA_WEIBO, &["weibo.com", "weibo.cn"]),
    (
        AppName::WIKIPEDIA,
        &[
            "wikipedia.org",
            "wikimedia.org",
            "wikidata.org",
            "mediawiki.org",
            "wiktionary.org",
            "wikimediafoundation.org",
        ],
    ),
    // Video and music.
    (
        AppName::NETFLIX,
        &[
            "netflix.com",
            "nflxvideo.net",
            "nflximg.net",
            "nflxso.net",
            "nflxext.com",
            "nflximg.com",
            "netflix.net",
        ],
    ),
    (
        AppName::DISNEY_PLUS,
        &[
            "disneyplus.com",
            "disney-plus.net",
            "dssott.com",
            "bamgrid.com",
            "disneyplus.disney.co.jp",
            "dssedge.com",
        ],
    ),
    (AppName::ESPN, &["espn.com", "espncdn.com", "espn.net"]),
    (AppName::HULU, &["hulu.com", "hulustream.com", "huluim.com", "huluad.com"]),
    (AppName::HBO, &["hbo.com", "hbomax.com", "hbogo.com", "hbonow.com", "max.com"]),
    (AppName::PARAMOUNT_PLUS, &["paramountplus.com", "cbsaavideo.com", "pplusstatic.com"]),
    (AppName::DAZN, &["dazn.com", "dazn-api.com", "indazn.com"]),
    (
        AppName::TWITCH,
        &["twitch.tv", "ttvnw.net", "jtvnw.net", "twitchcdn.net", "twitchsvc.net", "ext-twitch.tv"],
    ),
    (AppName::KICK, &["kick.com"]),
    (AppName::VIMEO, &["vimeo.com", "vimeocdn.com"]),
    (AppName::DAILYMOTION, &["dailymotion.com", "dmcdn.net"]),
    (AppName::RUMBLE, &["rumble.com", "rmbl.ws"]),
    (AppName::RUTUBE, &["rutube.ru", "rtbcdn.ru"]),
    (AppName::VUDU, &["vudu.com", "vudu.fandango.com"]),
    (AppName::LIVESTREAM, &["livestream.com"]),
    (
        AppName::IQIYI,
        &["iqiyi.com", "iqiyipic.com", "iq.com", "qiyi.com", "qy.net", "71.am", "ppsimg.com"],
    ),
    (AppName::IFLIX, &["iflix.com", "images.iflixassets.com"]),
    (AppName::PLURALSIGHT, &["pluralsight.com"]),
    (
        AppName::SPOTIFY,
        &["spotify.com", "scdn.co", "spotifycdn.com", "spoti.fi", "pscdn.co", "spotifycdn.net"],
    ),
    (AppName::SOUNDCLOUD, &["soundcloud.com", "sndcdn.com"]),
    (AppName::DEEZER, &["deezer.com", "dzcdn.net"]),
    (AppName::PANDORA, &["pandora.com", "p-cdn.com", "p-cdn.us"]),
    (AppName::TIDAL, &["tidal.com", "tidalhifi.com"]),
    (
        AppName::LASTFM,
        &["last.fm", "lastfm.com", "lastfm.freetls.fastly.net", "audioscrobbler.com"],
    ),
    (AppName::TUNEIN, &["tunein.com"]),
    (AppName::IHEARTRADIO, &["iheart.com", "iheartradio.com"]),
    (AppName::SIRIUSXM, &["siriusxm.com"]),
    (AppName::SONOS, &["sonos.com"]),
    // Games.
    (
        AppName::STEAM,
        &[
            "steampowered.com",
            "steamcommunity.com",
            "steamcontent.com",
            "steamstatic.com",
            "steamusercontent.com",
            "steamserver.net",
            "steamgames.com",
            "steam-chat.com",
            "valvesoftware.com",
            "steamcdn-a.akamaihd.net",
            "steamdeck.com",
            "steam-api.com",
        ],
    ),
    (AppName::DOTA2, &["dota2.com"]),
    (
        AppName::ELECTRONIC_ARTS,
        &["ea.com", "origin.com", "eaassets-a.akamaihd.net", "origin-a.akamaihd.net", "tnt-ea.com"],
    ),
    (
        AppName::EPIC_GAMES,
        &["epicgames.com", "epicgames.dev", "unrealengine.com", "fortnite.com", "epicgamescdn.com"],
    ),
    (AppName::ACTIVISION, &["activision.com", "callofduty.com", "demonware.net"]),
    (
        AppName::BLIZZARD,
        &["blizzard.com", "battle.net", "blz-contentstack.com", "battlenet.com.cn"],
    ),
    (AppName::WORLD_OF_WARCRAFT, &["worldofwarcraft.com"]),
    (
        AppName::RIOT_GAMES,
        &["riotgames.com", "leagueoflegends.com", "pvp.net", "riotcdn.net", "playvalorant.com"],
    ),
    (AppName::ROCKSTAR_GAMES, &["rockstargames.com", "ros.rockstargames.com"]),
    (AppName::PLAYSTATION, &["playstation.com", "playstation.net", "sonyentertainmentnetwork.com"]),
    (AppName::NINTENDO, &["nintendo.com", "nintendo.net", "nintendowifi.net", "nintendo.co.jp"]),
    (AppName::ROBLOX, &["roblox.com", "rbxcdn.com", "rbx.com"]),
    (
        AppName::GEFORCE_NOW,
        &["nvidiagrid.net", "geforcenow.com", "play.geforcenow.com", "nvidiagrid.com"],
    ),
    (AppName::GENSHIN_IMPACT, &["hoyoverse.com", "mihoyo.com", "yuanshen.com"]),
    (AppName::PATH_OF_EXILE, &["pathofexile.com"]),
    // Shops, news, weather.
    (
        AppName::EBAY,
        &[
            "ebay.com",
            "ebay.co.uk",
            "ebay.de",
            "ebay.fr",
            "ebay.it",
            "ebay.es",
            "ebay.ca",
            "ebaystatic.com",
            "ebayimg.com",
        ],
    ),
    (AppName::SHEIN, &["shein.com", "ltwebstatic.com"]),
    (AppName::TEMU, &["temu.com"]),
    (AppName::CNN, &["cnn.com", "cnn.io", "cnn.net"]),
    (AppName::BLOOMBERG, &["bloomberg.com", "bwbx.io", "bloomberg.net"]),
    (AppName::ACCUWEATHER, &["accuweather.com", "accu-weather.com"]),
    // Virtual private networks.
    (AppName::NORD_VPN, &["nordvpn.com", "nordcdn.com", "nordaccount.com"]),
    (AppName::SURFSHARK, &["surfshark.com"]),
    (AppName::PROTON_VPN, &["protonvpn.com", "protonvpn.ch", "protonvpn.net"]),
    (AppName::MULLVAD, &["mullvad.net"]),
    (AppName::WINDSCRIBE, &["windscribe.com", "windscribe.net"]),
    (AppName::TUNNEL_BEAR, &["tunnelbear.com"]),
    (AppName::HOTSPOT_SHIELD, &["hotspotshield.com", "hsselite.com", "anchorfree.com"]),
    (AppName::TAILSCALE, &["tailscale.com", "tailscale.io", "ts.net"]),
    (AppName::OPERA_VPN, &["opera-proxy.net"]),
    (AppName::TOR, &["torproject.org"]),
];

/// Domains whose category is not that of their service.
const OTHER_CATEGORY: &[(Category, AppName, &[&str])] = &[
    (
        Category::ADVERTISEMENT,
        AppName::GOOGLE,
        &[
            "doubleclick.net",
            "googlesyndication.com",
            "googleadservices.com",
            "adservice.google.com",
            "admob.com",
        ],
    ),
    (
        Category::CONNECTIVITY_CHECK,
        AppName::GOOGLE,
        &["connectivitycheck.gstatic.com", "connectivitycheck.android.com", "clients3.google.com"],
    ),
    (Category::CONNECTIVITY_CHECK, AppName::APPLE, &["captive.apple.com"]),
    (
        Category::CONNECTIVITY_CHECK,
        AppName::MICROSOFT,
        &["www.msftconnecttest.com", "www.msftncsi.com"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let cases = [
            ("www.youtube.com", Some(AppName::YOUTUBE), Category::MEDIA),
            ("YouTube.COM.", Some(AppName::YOUTUBE), Category::MEDIA),
            ("r1---sn-hju7enel.googlevideo.com", Some(AppName::YOUTUBE), Category::MEDIA),
            ("notyoutube.com", None, Category::UNSPECIFIED),
            ("youtube.com.example", None, Category::UNSPECIFIED),
            ("google.com", Some(AppName::GOOGLE), Category::WEB),
            ("maps.google.com", Some(AppName::GOOGLE_MAPS), Category::WEB),
            ("pagead2.googlesyndication.com", Some(AppName::GOOGLE), Category::ADVERTISEMENT),
            ("com", None, Category::UNSPECIFIED),
            ("", None, Category::UNSPECIFIED),
            ("..", None, Category::UNSPECIFIED),
        ];
        for (host, app, category) in cases {
            let expected = app.map(|app| (app, category));
            assert_eq!(service_of_host(host), expected, "{host}");
        }
        assert_eq!(service_of_host(&"a.".repeat(200)), None);
    }

    #[test]
    fn domains_are_there_once_and_in_lower_case() {
        let one = SERVICES.iter().flat_map(|(_, domains)| *domains);
        let other = OTHER_CATEGORY.iter().flat_map(|(_, _, domains)| *domains);
        let mut seen = std::collections::HashSet::new();
        for domain in one.chain(other) {
            assert!(seen.insert(domain), "{domain} is there twice");
            assert_eq!(*domain, domain.to_lowercase());
            assert!(
                domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.'),
                "{domain}"
            );
        }
        assert_eq!(seen.len(), table().len());
    }
}
