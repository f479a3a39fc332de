//! How callers sign in.

use std::time::Duration;

use super::Settings;
use super::problems::Problems;

/// How callers sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Where the keys are.
    pub keys: SignInKeys,
    /// The issuer that tokens must name.
    pub issuer: String,
    /// The audience that tokens must name.
    pub audience: String,
    /// By how much clocks may differ.
    pub leeway: Duration,
}

/// The keys that tokens are checked with. Each implies one algorithm; a token with another is refused.
#[derive(Clone, PartialEq, Eq)]
pub enum SignInKeys {
    /// HS256 with a shared secret.
    Secret(String),
    /// Public keys at an https URL or in a file.
    Jwks {
        /// The URL or the path.
        from: String,
        /// The algorithm that tokens must have.
        algorithm: JwksAlgorithm,
        /// After what time they are read again.
        refresh: Duration,
    },
}

/// The algorithms of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwksAlgorithm {
    /// RSA with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl JwksAlgorithm {
    /// The name of the algorithm in tokens and keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl std::fmt::Debug for SignInKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret(…)"),
            // The URL may hold a password.
            Self::Jwks { from: _, algorithm, refresh } => {
                f.debug_struct("Jwks").field("algorithm", algorithm).field("refresh", refresh).finish_non_exhaustive()
            }
        }
    }
}

/// How callers sign in: with the secret or with the public keys, and never with half of what either needs.
pub(super) fn read(settings: &Settings, problems: &mut Problems) -> Option<SignIn> {
    let leeway = problems.seconds("auth_leeway", settings.auth_leeway.clone(), "30", 0..=300);
    let refresh = problems.seconds("auth_jwks_refresh", settings.auth_jwks_refresh.clone(), "300", 1..=86_400);
    let algorithm = match settings.auth_algorithm.as_deref() {
        None | Some("RS256") => JwksAlgorithm::Rs256,
        Some("EdDSA") => JwksAlgorithm::EdDsa,
        Some(other) => {
            problems.note(format!("auth_algorithm: expected RS256 or EdDSA, found {other:?}"));
            JwksAlgorithm::Rs256
        }
    };
    let keys = match (&settings.auth_secret, &settings.auth_jwks) {
        (Some(_), Some(_)) => {
            problems.note("auth_secret, auth_jwks: give one of them".to_owned());
            None
        }
        (Some(secret), None) => {
            if secret.len() < 32 {
                problems.note("auth_secret: expected at least 32 bytes".to_owned());
            }
            if settings.auth_algorithm.is_some() {
                problems.note("auth_algorithm: only for auth_jwks; a secret means HS256".to_owned());
            }
            Some(SignInKeys::Secret(secret.clone()))
        }
        (None, Some(from)) => {
            if from.starts_with("http://") {
                problems.note("auth_jwks: expected an https URL or a file".to_owned());
            }
            Some(SignInKeys::Jwks { from: from.clone(), algorithm, refresh })
        }
        (None, None) => None,
    };
    let mut needed = |name: &str, value: &Option<String>| {
        let given = value.clone().filter(|text| !text.trim().is_empty());
        if keys.is_some() && given.is_none() {
            problems.note(format!("{name}: needed for sign-in"));
        }
        if keys.is_none() && given.is_some() {
            problems.note(format!("{name}: given without auth_secret or auth_jwks"));
        }
        given.unwrap_or_default()
    };
    let issuer = needed("auth_issuer", &settings.auth_issuer);
    let audience = needed("auth_audience", &settings.auth_audience);
    keys.map(|keys| SignIn { keys, issuer, audience, leeway })
}
