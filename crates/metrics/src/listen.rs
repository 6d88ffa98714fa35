//! Where to listen.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Reads an address to listen on. A port alone (`9105`, `:9105`) and `localhost:9105` mean loopback, so that nothing is
/// open to the network unless an address says so: `0.0.0.0:9105`, `[::]:9105`, `192.0.2.7:9105`. Port 0 lets the system
/// choose. Names other than `localhost` are not looked up.
///
/// # Errors
/// What was found and what was expected.
pub fn listen_addr(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    if !port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit()) {
        return match port.parse() {
            Ok(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            Err(_) => Err(format!("port {port}: expected 0 to 65535")),
        };
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        let example = SocketAddr::new(address, 9105);
        return Err(format!("\"{text}\": no port, expected one as in {example}"));
    }
    Err(format!(
        "\"{text}\": expected a port (9105, on loopback), or an address and a port as in 192.0.2.7:9105 or [::1]:9105; \
         names are not looked up"
    ))
}

#[cfg(test)]
mod tests {
    use super::listen_addr;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("9105", Ok("127.0.0.1:9105")),
            (":9105", Ok("127.0.0.1:9105")),
            ("localhost:9105", Ok("127.0.0.1:9105")),
            ("0", Ok("127.0.0.1:0")),
            ("127.0.0.1:9105", Ok("127.0.0.1:9105")),
            ("0.0.0.0:9105", Ok("0.0.0.0:9105")),
            ("[::]:9105", Ok("[::]:9105")),
            ("[::1]:65535", Ok("[::1]:65535")),
            ("65536", Err("port 65536: expected 0 to 65535")),
            (":99999999999999999999", Err("port 99999999999999999999: expected 0 to 65535")),
            ("192.0.2.7", Err("\"192.0.2.7\": no port, expected one as in 192.0.2.7:9105")),
            ("::1", Err("\"::1\": no port, expected one as in [::1]:9105")),
            ("[::1]", Err("\"[::1]\": no port, expected one as in [::1]:9105")),
            ("", Err("\"\": expected a port")),
            (":", Err("\":\": expected a port")),
            ("+80", Err("\"+80\": expected a port")),
            ("-1", Err("\"-1\": expected a port")),
            ("localhost:", Err("\"localhost:\": expected a port")),
            ("sensor.example:9105", Err("\"sensor.example:9105\": expected a port")),
            ("127.0.0.1:70000", Err("\"127.0.0.1:70000\": expected a port")),
            ("http://127.0.0.1:9105", Err("\"http://127.0.0.1:9105\": expected a port")),
            (" 9105", Err("\" 9105\": expected a port")),
        ] {
            match (listen_addr(text), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.to_string(), expected, "{text}"),
                (Err(found), Err(expected)) => {
                    assert!(found.starts_with(expected), "{text}: {found}")
                }
                (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
            }
        }
    }
}
