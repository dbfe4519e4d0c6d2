//! `[web]`: who may come in. Passwords and certificates are in a file of their own (`web_file`), tokens in
//! files or the environment; here they are only named.

use std::path::{Path, PathBuf};

use super::secret_keys::{SecretKeys, keys, read_required};
use super::section::Section;
use crate::secret::SecretSource;

/// Most tokens: each is compared at every request.
const TOKENS_MAX: usize = 64;
/// Longest name of a token.
const NAME_CHARS_MAX: usize = 64;
/// Longest name of a host (RFC 1035).
const HOST_CHARS_MAX: usize = 253;
const TOKEN: SecretKeys = keys("token", "file", "env");

/// What somebody who came in may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Look at everything.
    Read,
    /// Look, and make the daemon do something.
    Admin,
}

impl Right {
    /// Returns the word of the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Admin].into_iter().find(|right| right.as_str() == name)
    }
}

/// A checked `[web]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebConfig {
    /// Certificates and users, in the format of the exporter toolkit of Prometheus.
    pub file: Option<PathBuf>,
    /// Who comes in with a bearer token; their names differ.
    pub tokens: Vec<TokenConfig>,
    /// Users of the file that have the right `admin`; the others may read.
    pub admin_users: Vec<String>,
    /// Names by which browsers on this machine reach us beside `localhost`, in lowercase.
    pub host_names: Vec<String>,
}

/// A checked `[[web.token]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenConfig {
    /// Its name, for people.
    pub name: String,
    /// Where the token is kept.
    pub secret: SecretSource,
    /// What its bearer may do.
    pub right: Right,
}

pub(super) fn read(root: &mut Section<'_, '_>, folder: &Path) -> WebConfig {
    let mut web = root.section("web");
    let file = web.text("config_file").map(|file| folder.join(file));
    let admin_users = web.texts("admin_users").unwrap_or_default();
    if file.is_none() && !admin_users.is_empty() {
        web.report(
            "found `admin_users` without `config_file`, the file that has the users and their \
             passwords"
                .to_owned(),
        );
    }
    let allowed = "a name without port, as `tollkeeper.example.org`";
    let host_names = web.list("host_names", allowed, host_name).unwrap_or_default();
    let sections = web.sections("token");
    if sections.len() > TOKENS_MAX {
        let count = sections.len();
        web.report(format!("found {count} tokens, expected at most {TOKENS_MAX}"));
    }
    let mut tokens: Vec<TokenConfig> = Vec::new();
    for mut section in sections {
        let token = read_token(&mut section, folder);
        if tokens.iter().any(|known| known.name == token.name) {
            section.report(format!("found a second token named `{}`", token.name));
        }
        tokens.push(token);
        section.finish();
    }
    web.finish();
    WebConfig { file, tokens, admin_users, host_names }
}

fn host_name(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fits = (1..=HOST_CHARS_MAX).contains(&text.len()) && text.chars().all(is_plain);
    fits.then(|| text.to_ascii_lowercase())
}

fn read_token(section: &mut Section<'_, '_>, folder: &Path) -> TokenConfig {
    let has_name = section.has("name");
    let allowed = "a name of at most 64 letters, digits, `-`, `_` and `.`";
    let name = section.parsed("name", allowed, |text| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let fits = (1..=NAME_CHARS_MAX).contains(&text.len()) && text.chars().all(is_plain);
        fits.then(|| text.to_owned())
    });
    if !has_name {
        section.report("`name` is missing; it tells tokens apart in the log".to_owned());
    }
    let secret = read_required(section, folder, &TOKEN);
    let right = section.parsed("right", "`read` or `admin`", Right::from_name);
    TokenConfig { name: name.unwrap_or_default(), secret, right: right.unwrap_or(Right::Read) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parse(web: &str) -> Result<WebConfig, String> {
        let text = format!("{web}\n[[source]]\nname = \"a\"\ninclude = [\"x\"]\n");
        let config = Config::parse("t.toml", &text, Path::new("/etc/tollkeeper"));
        config.map(|config| config.web).map_err(|problems| problems.to_string())
    }

    #[test]
    fn users_tokens_and_rights_are_read() {
        let web = parse(
            "[web]\nconfig_file = \"web.yml\"\nadmin_users = [\"alice\"]\n\
             host_names = [\"Tollkeeper.example.org\"]\n\
             [[web.token]]\nname = \"prometheus\"\nfile = \"token\"\n\
             [[web.token]]\nname = \"deploy\"\nenv = \"DEPLOY_TOKEN\"\nright = \"admin\"",
        );
        let web = web.unwrap();
        assert_eq!(web.file.as_deref(), Some(Path::new("/etc/tollkeeper/web.yml")));
        assert_eq!(web.admin_users, ["alice"]);
        assert_eq!(web.host_names, ["tollkeeper.example.org"]);
        let rights: Vec<Right> = web.tokens.iter().map(|token| token.right).collect();
        assert_eq!(rights, [Right::Read, Right::Admin]);
        assert_eq!(web.tokens[0].secret, SecretSource::File("/etc/tollkeeper/token".into()));
        assert_eq!(parse("").unwrap(), WebConfig::default());
    }

    #[test]
    fn every_mistake_is_told_and_no_token_is() {
        for (web, text) in [
            (
                "[web]\nconfigfile = \"x\"",
                "t.toml:2:1: web.configfile: there is no such key; did you mean `config_file`?",
            ),
            ("[web]\nadmin_users = [\"a\"]", "`admin_users` without `config_file`"),
            ("[web]\nhost_names = [\"http://a\"]", "expected a name without port"),
            ("[[web.token]]\nfile = \"x\"", "web.token[0]: `name` is missing"),
            ("[[web.token]]\nname = \"a\"", "web.token[0]: `file` or `env` is missing"),
            (
                "[[web.token]]\nname = \"a\"\ntoken = \"s3cr3t\"",
                "t.toml:3:9: web.token[0].token: this is a secret",
            ),
            (
                "[[web.token]]\nname = \"a\"\nenv = \"s3cr3t!\"",
                "expected the name of an environment variable",
            ),
            (
                "[[web.token]]\nname = \"a\"\nenv = \"A\"\nright = \"root\"",
                "found `root`, expected `read` or `admin`",
            ),
            (
                "[[web.token]]\nname = \"a\"\nenv = \"A\"\n[[web.token]]\nname = \"a\"\nenv = \"B\"",
                "a second token named `a`",
            ),
        ] {
            let found = parse(web).unwrap_err();
            assert!(found.contains(text), "{found}");
            assert!(!found.contains("s3cr3t"), "{found}");
        }
    }
}
