//! A JSON Web Key Set: the keys in it that can be used, and no word about the others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::config::JwksAlgorithm;

/// The least size of an RSA modulus. The library refuses smaller ones too, but only when they are used.
const MIN_RSA_BYTES: usize = 256;

/// The keys of one algorithm that may check signatures.
#[derive(Debug, Default)]
pub(in crate::auth) struct KeySet {
    keys: Vec<(Option<String>, DecodingKey)>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys of another type, algorithm or use are left out, as are those that make no sense.
    ///
    /// # Errors
    /// When it is no JSON Web Key Set. The message holds nothing of the text.
    pub(super) fn parse(text: &[u8], algorithm: JwksAlgorithm) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(text).map_err(|_| "this is no JSON Web Key Set".to_owned())?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Key>(key).ok());
        let keys = keys.filter_map(|key| Some((key.kid.clone(), key.usable(algorithm)?)));
        Ok(Self { keys: keys.collect() })
    }

    /// The key that a token names; the only key for a token that names none.
    pub(in crate::auth) fn find(&self, kid: Option<&str>) -> Option<&DecodingKey> {
        match (kid, self.keys.as_slice()) {
            (None, [(_, only)]) => Some(only),
            (None, _) => None,
            (Some(_), keys) => keys.iter().find(|(name, _)| name.as_deref() == kid).map(|(_, key)| key),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl Key {
    fn usable(&self, algorithm: JwksAlgorithm) -> Option<DecodingKey> {
        let for_signatures = self.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        let for_algorithm = self.alg.as_deref().is_none_or(|name| name == algorithm.name());
        if !for_signatures || !for_algorithm {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        match (algorithm, self.kty.as_str()) {
            (JwksAlgorithm::Rs256, "RSA") => {
                let (modulus, exponent) = (bytes(&self.n)?, bytes(&self.e)?);
                let modulus = modulus.strip_prefix(&[0]).unwrap_or(&modulus);
                (modulus.len() >= MIN_RSA_BYTES).then(|| DecodingKey::from_rsa_raw_components(modulus, &exponent))
            }
            (JwksAlgorithm::EdDsa, "OKP") if self.crv.as_deref() == Some("Ed25519") => {
                let point = bytes(&self.x)?;
                (point.len() == 32).then(|| DecodingKey::from_ed_der(&point))
            }
            _ => None,
        }
    }
}
