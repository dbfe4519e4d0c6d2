//! The file of certificates and users, in the format that exporters for Prometheus share, see
//! <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>.
//!
//! What that format has and rustls or this server can't do is refused with a word on what to do, and
//! never ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use super::problem::Problems;
use super::yaml::{YamlReader, YamlTable};
use crate::secret::Secret;

/// Highest cost of a password: above, one login takes many seconds of a processor.
const BCRYPT_COST_MAX: u32 = 16;
/// Cipher suites of TLS 1.2 that can be chosen; those of TLS 1.3 can't be, in Go neither.
pub const SUITES: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];
/// Curves that can be chosen, as Go calls them.
pub const CURVES: [&str; 3] = ["X25519", "CurveP256", "CurveP384"];

/// The checked file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebFile {
    /// How to speak TLS; plain HTTP without it.
    pub tls: Option<TlsConfig>,
    /// Headers of every answer, in place of our own.
    pub headers: Vec<(&'static str, String)>,
    /// The bcrypt hash of the password by user.
    pub users: BTreeMap<String, Secret>,
}

/// A checked `tls_server_config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate and those between it and its authority, PEM.
    pub cert_file: PathBuf,
    /// Its private key, PEM.
    pub key_file: PathBuf,
    /// Whether clients show certificates.
    pub client: ClientAuth,
    /// The authorities of the clients, PEM.
    pub client_ca_file: Option<PathBuf>,
    /// DNS names and addresses, one of which a client's certificate must have; none means any.
    pub client_names: Vec<String>,
    /// Oldest version that is spoken.
    pub min: TlsVersion,
    /// Newest version that is spoken.
    pub max: TlsVersion,
    /// Suites of TLS 1.2 in the order of preference, of [`SUITES`]; none means all.
    pub suites: Vec<&'static str>,
    /// Curves in the order of preference, of [`CURVES`]; none means all.
    pub curves: Vec<&'static str>,
    /// Whether our order of suites counts, and not the client's.
    pub server_order: bool,
}

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked.
    No,
    /// They may, and then it must be a good one.
    IfGiven,
    /// They must.
    Required,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

impl WebFile {
    /// Checks the text of the file named `file`. Paths in it are as seen from `folder`, its own.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the file; never with a value, which may be a secret.
    pub fn parse(file: &str, text: &str, folder: &Path) -> Result<Self, Problems> {
        let reader = YamlReader::new(file);
        let checked = read(reader.root(text), folder);
        let problems = reader.into_problems();
        if problems.is_empty() { Ok(checked) } else { Err(Problems(problems)) }
    }
}

fn read(mut root: YamlTable<'_>, folder: &Path) -> WebFile {
    let has_tls = root.has("tls_server_config");
    let tls = Some(root.table("tls_server_config")).filter(|_| has_tls);
    let tls = tls.and_then(|table| read_tls(table, folder));
    let headers = read_http(root.table("http_server_config"));
    let users = root.table("basic_auth_users").all(password_hash).into_iter().collect();
    root.refuse(
        "rate_limit",
        "requests can't be limited by rate here; connections, heads and time are bounded. Remove it",
    );
    root.finish();
    WebFile { tls, headers, users }
}

fn read_tls(mut table: YamlTable<'_>, folder: &Path) -> Option<TlsConfig> {
    for (key, instead) in
        [("cert", "cert_file"), ("key", "key_file"), ("client_ca", "client_ca_file")]
    {
        let text = format!("write it to a file of its own and name that with `{instead}`");
        table.refuse(key, &text);
    }
    let below = |file: &str| -> Result<PathBuf, String> {
        if file.is_empty() { Err("expected a file".to_owned()) } else { Ok(folder.join(file)) }
    };
    let has_both = table.has("cert_file") && table.has("key_file");
    if !has_both {
        table.report("`cert_file` and `key_file` are both needed; leave `tls_server_config` out for plain HTTP");
    }
    let cert_file = table.text("cert_file", below);
    let key_file = table.text("key_file", below);
    let client = table.text("client_auth_type", client_auth).unwrap_or(ClientAuth::No);
    let client_ca_file = table.text("client_ca_file", below);
    let client_names = table.texts("client_allowed_sans", client_name);
    let min = table.text("min_version", version).unwrap_or(TlsVersion::Tls12);
    let max = table.text("max_version", version).unwrap_or(TlsVersion::Tls13);
    let suites = table.texts("cipher_suites", |name| one_of(&SUITES, name));
    let curves = table.texts("curve_preferences", |name| one_of(&CURVES, name));
    let server_order = table.flag("prefer_server_cipher_suites").unwrap_or(true);
    if min > max {
        table.report("`min_version` is newer than `max_version`");
    }
    match (client, client_ca_file.is_some()) {
        (ClientAuth::No, true) => table.report(
            "found `client_ca_file` without a `client_auth_type` that asks for certificates, expected \
             `RequireAndVerifyClientCert` or `VerifyClientCertIfGiven`",
        ),
        (ClientAuth::IfGiven | ClientAuth::Required, false) => {
            table.report("`client_auth_type` needs `client_ca_file`, the authorities of the clients");
        }
        _ => {}
    }
    if !client_names.is_empty() && client != ClientAuth::Required {
        table.report(
            "`client_allowed_sans` needs `client_auth_type: RequireAndVerifyClientCert`, since who shows no \
             certificate has no name",
        );
    }
    table.finish();
    let (cert_file, key_file) = (cert_file?, key_file?);
    Some(TlsConfig {
        cert_file,
        key_file,
        client,
        client_ca_file,
        client_names,
        min,
        max,
        suites,
        curves,
        server_order,
    })
}

fn client_auth(text: &str) -> Result<ClientAuth, String> {
    match text {
        "NoClientCert" => Ok(ClientAuth::No),
        "VerifyClientCertIfGiven" => Ok(ClientAuth::IfGiven),
        "RequireAndVerifyClientCert" => Ok(ClientAuth::Required),
        "RequestClientCert" | "RequireAnyClientCert" => Err(format!(
            "`{text}` takes certificates that nobody has verified, which rustls does not do; use \
             `VerifyClientCertIfGiven` or `RequireAndVerifyClientCert`"
        )),
        _ => Err("expected `NoClientCert`, `VerifyClientCertIfGiven` or \
                  `RequireAndVerifyClientCert`"
            .to_owned()),
    }
}

fn client_name(text: &str) -> Result<String, String> {
    match rustls::pki_types::ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a DNS name or an IP address; names of users and URIs can't be \
                       compared here"
            .to_owned()),
    }
}

fn version(text: &str) -> Result<TlsVersion, String> {
    match text {
        "TLS12" => Ok(TlsVersion::Tls12),
        "TLS13" => Ok(TlsVersion::Tls13),
        "TLS10" | "TLS11" => {
            Err(format!("`{text}` is broken and not spoken here; use `TLS12` or `TLS13`"))
        }
        _ => Err("expected `TLS12` or `TLS13`".to_owned()),
    }
}

fn one_of(known: &[&'static str], name: &str) -> Result<&'static str, String> {
    let found = known.iter().copied().find(|known| *known == name);
    found.ok_or_else(|| format!("this can't be had with rustls, expected `{}`", known.join("`, `")))
}

fn read_http(mut table: YamlTable<'_>) -> Vec<(&'static str, String)> {
    if table.flag("http2") == Some(true) {
        table.report("only HTTP/1.1 is spoken here, which every client can; remove `http2: true`");
    }
    let mut headers = table.table("headers");
    let any = |text: &str| {
        let fits = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        if fits { Ok(text.to_owned()) } else { Err("expected plain ASCII on one line".to_owned()) }
    };
    let word = |allowed: &'static [&'static str]| {
        move |text: &str| {
            let is_known = allowed.contains(&text);
            is_known
                .then(|| text.to_owned())
                .ok_or_else(|| format!("expected `{}`", allowed.join("` or `")))
        }
    };
    let mut found = Vec::new();
    for key in ["Content-Security-Policy", "X-XSS-Protection", "Strict-Transport-Security"] {
        found.extend(headers.text(key, any).map(|text| (key, text)));
    }
    let (frames, content) = ("X-Frame-Options", "X-Content-Type-Options");
    found.extend(headers.text(frames, word(&["deny", "sameorigin"])).map(|text| (frames, text)));
    found.extend(headers.text(content, word(&["nosniff"])).map(|text| (content, text)));
    headers.finish();
    table.finish();
    // "Unset if blank", says the format.
    found.retain(|(_, text)| !text.is_empty());
    found
}

/// Checks a user and the hash of the password, which is never shown.
fn password_hash(user: &str, hash: &str) -> Result<Secret, String> {
    if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
        return Err("expected a name without `:`".to_owned());
    }
    let parts = bcrypt::HashParts::from_str(hash).map_err(|_| {
        "expected a bcrypt hash, `$2y$…`, as `htpasswd -nBC 10 \"\" | tr -d ':\\n'` prints it"
            .to_owned()
    })?;
    let cost = parts.get_cost();
    if cost > BCRYPT_COST_MAX {
        return Err(format!(
            "found a hash of cost {cost}, expected at most {BCRYPT_COST_MAX}; above, one login takes \
             many seconds"
        ));
    }
    Ok(Secret::new(hash.to_owned()))
}

#[cfg(test)]
#[path = "web_file_tests.rs"]
mod tests;
