//! Custom categories in nDPI's format (`categories.txt`): a host, a domain, an address or a network, white space, and the
//! category by number or name.

use std::net::IpAddr;

use crate::rules::{Hosts, Net, Nets, domain, lines};
use crate::{Category, RuleError};

/// A categories file that was read without an error.
#[derive(Clone, Debug, Default)]
pub struct CategoryRules {
    entries: Vec<(Entry, Category)>,
    hosts: Hosts<Category>,
    nets: Nets<Category>,
}

#[derive(Clone, Debug)]
enum Entry {
    Host(String),
    Net(Net),
}

impl CategoryRules {
    /// Reads a file's octets. `file` is what errors call it.
    ///
    /// # Errors
    /// The first line that is not right.
    pub fn parse(file: &str, octets: &[u8]) -> Result<Self, RuleError> {
        let mut rules = Self::default();
        for line in lines(file, octets) {
            let (line, text) = line?;
            let error = |found: &str, expected: &str| RuleError {
                file: file.to_owned(),
                line,
                found: format!("{:?}", found.chars().take(80).collect::<String>()),
                expected: expected.to_owned(),
            };
            let (name, category) = text
                .split_once(char::is_whitespace)
                .ok_or_else(|| error(text, "a host or an address, a tab and a category"))?;
            let category = category.trim();
            let category = Category::parse(category).ok_or_else(|| {
                error(category, "the number or the name of a category, as 100 or Malware")
            })?;
            let entry = if let Some(net) = Net::parse(name) {
                rules.nets.insert(net, 0, category);
                Entry::Net(net)
            } else if let Some(host) = domain(name) {
                rules.hosts.insert(&host, category);
                Entry::Host(host)
            } else {
                return Err(error(name, "a host, a domain, an address or a network"));
            };
            rules.entries.push((entry, category));
        }
        Ok(rules)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The rules as a text for libndpi. IPv6 is left out, which not every release takes in.
    pub fn sanitized(&self) -> String {
        let mut text = String::new();
        for (entry, category) in &self.entries {
            match entry {
                Entry::Host(host) => text += &format!("{host}\t{}\n", category.0),
                Entry::Net(net) if net.is_ipv4() => text += &format!("{net}\t{}\n", category.0),
                Entry::Net(_) => {}
            }
        }
        text
    }

    pub(crate) fn host(&self, host: &str) -> Option<Category> {
        self.hosts.get(host).copied()
    }

    pub(crate) fn address(&self, address: IpAddr) -> Option<Category> {
        self.nets.get(address, 0).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories() {
        let text =
            b"# Format: name\\tcategory_id\ninternetbadguys.com\t100\n144.139.247.220\t100\r\n\
            10.0.0.0/8 \t Network\n2001:db8::/32\t19\n";
        let rules = CategoryRules::parse("categories.txt", text).unwrap();
        assert_eq!(rules.len(), 4);
        assert_eq!(rules.host("www.internetbadguys.com"), Some(Category::MALWARE));
        assert_eq!(rules.host("goodguys.com"), None);
        let address = |text: &str| rules.address(text.parse().unwrap());
        assert_eq!(address("144.139.247.220"), Some(Category::MALWARE));
        assert_eq!(address("144.139.247.221"), None);
        assert_eq!(address("10.1.2.3"), Some(Category::NETWORK));
        assert_eq!(address("2001:db8::1"), Some(Category::SOFTWARE_UPDATE));
        let text = rules.sanitized();
        assert_eq!(text, "internetbadguys.com\t100\n144.139.247.220/32\t100\n10.0.0.0/8\t14\n");
    }

    #[test]
    fn errors_name_file_line_and_what_is_wrong() {
        let cases = [
            ("a.example", "\"a.example\"", "a tab and a category"),
            ("a.example\t98", "\"98\"", "number or the name"),
            ("a.example\tNothing", "\"Nothing\"", "number or the name"),
            ("a..example\t100", "\"a..example\"", "a host, a domain"),
            ("10.0.0.0/33\t100", "\"10.0.0.0/33\"", "a host, a domain"),
        ];
        for (text, found, expected) in cases {
            let text = format!("\n{text}\n");
            let error = CategoryRules::parse("c.txt", text.as_bytes()).unwrap_err();
            assert_eq!((error.line, error.found.as_str()), (2, found));
            assert!(error.expected.contains(expected), "{error}");
            assert!(error.to_string().starts_with("c.txt: line 2: found "));
        }
    }
}
