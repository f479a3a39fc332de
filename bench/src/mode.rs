//! The same server with parts of it left out, to see what each part is worth.

/// A way to run the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What of the server's options it needs.
    pub options: &'static [&'static str],
}

/// All modes, the slowest first. They differ in nothing but this: schema, resolvers and statements are the same.
pub const ALL: [Mode; 3] = [
    Mode { name: "naive", options: &["--cache", "off", "--batching", "off"] },
    Mode { name: "batched", options: &["--cache", "off"] },
    Mode { name: "cached", options: &[] },
];

impl Mode {
    /// The mode of this name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|mode| mode.name == name)
    }
}
