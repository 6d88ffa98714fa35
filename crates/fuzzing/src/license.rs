//! Licences, keys and the metadata of licensed files.

use rockfish_flow::Timestamp;
use rockfish_license::{
    FileFacts, License, LicenseTime, PrivateKey, PublicKey, Terms, Tier, verify_file,
};

/// The file of a licence: any octets. What is read must be written and read again as the same, and nobody's signature is
/// made by chance; then as keys, and as the licence that a file carries.
pub fn license(data: &[u8]) {
    let key = PrivateKey::from_seed(&[7; 32].into());
    let public = key.public_key();
    if let Ok(license) = License::parse(data) {
        for written in [license.to_json(), license.to_compact()] {
            let again = License::parse(written.as_bytes()).expect("what is written can be read");
            assert_eq!(again.canonical(), license.canonical());
            assert_eq!(again.terms(), license.terms());
            assert_eq!(again.to_compact(), license.to_compact());
        }
        let terms = license.terms();
        let begin = terms.valid_from().timestamp();
        assert!(begin < terms.expires_at.timestamp());
        assert!(license.verify(&public, begin).is_err(), "a forged signature");
        // The same terms, signed: they are valid in their term and not after it.
        let signed = terms.clone().sign(&key).expect("terms that were read can be signed");
        let verified = signed.verify(&public, begin).expect("valid from the beginning on");
        assert_eq!(verified.terms(), terms);
        assert!(signed.verify(&public, terms.expires_at.timestamp()).is_err());
    }
    if let Ok(key) = PublicKey::parse(data) {
        assert_eq!(PublicKey::parse(key.to_string().as_bytes()), Ok(key));
    }
    // The error of a private key must not show the key, so it is not even compared here.
    let _ = PrivateKey::parse(data);
    if let Ok(text) = std::str::from_utf8(data) {
        if let Some(time) = LicenseTime::parse(text) {
            assert_eq!(time.as_str(), text);
        }
        edited_metadata(text, &key);
    }
}

/// Metadata of a file that is as it should be, then with lines of the input, `key=value`, in place of pairs or besides.
fn edited_metadata(text: &str, key: &PrivateKey) {
    let time = |seconds| LicenseTime::from_timestamp(Timestamp::from_secs(seconds));
    let (Some(issued_at), Some(expires_at)) = (time(0), time(1_000_000_000)) else { return };
    let terms = Terms {
        id: "lic_1".to_owned(),
        tier: Tier::Professional,
        customer_email: None,
        company: "Example".to_owned(),
        observation: None,
        issued_at,
        not_before: None,
        expires_at,
    };
    let public = key.public_key();
    let signed = terms.clone().sign(key).expect("terms that can be signed");
    let verified = signed.verify(&public, Timestamp::ZERO).expect("valid from the beginning on");
    let mut pairs: Vec<(&str, String)> = verified.metadata();
    for (name, value) in [
        ("rockfish.tier", "professional"),
        ("rockfish.schema_version", "2"),
        ("rockfish.observation", "here"),
    ] {
        pairs.push((name, value.to_owned()));
    }
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        match pairs.iter_mut().find(|(found, _)| *found == name) {
            Some((_, old)) => *old = value.to_owned(),
            None => pairs.push((name, value.to_owned())),
        }
    }
    let facts = FileFacts { columns: Tier::Professional, observations: &["here"] };
    let metadata = pairs.iter().map(|(name, value)| (*name, Some(value.as_str())));
    if let Ok(file) = verify_file(metadata, &facts, &public) {
        // Whatever was edited, it says no more than before.
        assert_eq!(file.license, terms);
        assert_eq!((file.tier, file.observation.as_str()), (Tier::Professional, "here"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_licences_and_metadata() {
        let time = |text| LicenseTime::parse(text).expect("a time");
        let terms = Terms {
            id: "lic_abc123".to_owned(),
            tier: Tier::Professional,
            customer_email: Some("ops@example.com".to_owned()),
            company: "Example Corp".to_owned(),
            observation: Some("sensor-01".to_owned()),
            issued_at: time("2025-01-01T00:00:00Z"),
            not_before: None,
            expires_at: time("2026-01-01T00:00:00Z"),
        };
        let signed = terms.sign(&PrivateKey::from_seed(&[8; 32].into())).expect("a licence");
        let metadata = "rockfish.tier=enterprise\nrockfish.license.id=lic_1\nrockfish.license={}";
        let mut state = 1u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        for whole in [signed.to_json(), signed.to_compact(), metadata.to_owned()] {
            license(whole.as_bytes());
            for _ in 0..60 {
                let mut octets = whole.clone().into_bytes();
                for _ in 0..=random(3) {
                    let place = random(octets.len());
                    octets[place] = random(256) as u8;
                }
                octets.truncate(octets.len() - random(2) * random(octets.len()));
                license(&octets);
            }
        }
        for line in metadata.lines() {
            license(line.as_bytes());
        }
        // Both spellings at once, saying the same.
        license(b"rockfish.license.id=lic_1\nrockfish.license.observation=here");
    }
}
