//! The keys by which a config names a secret: a file or an environment variable, and never the secret itself.

use std::path::Path;

use super::section::Section;
use crate::secret::SecretSource;

/// The keys under which a secret may be named, and those under which it must not be written.
pub(super) struct SecretKeys {
    pub(super) plain: &'static str,
    pub(super) file: &'static str,
    pub(super) env: &'static str,
}

pub(super) const fn keys(plain: &'static str, file: &'static str, env: &'static str) -> SecretKeys {
    SecretKeys { plain, file, env }
}

/// Reads where a secret is kept; one that stands in the config itself is refused.
pub(super) fn read_secret(
    section: &mut Section<'_, '_>,
    folder: &Path,
    keys: &SecretKeys,
) -> Option<SecretSource> {
    let SecretKeys { plain, file, env } = keys;
    section.refuse(
        plain,
        &format!(
            "this is a secret and does not belong in the config; write it to a file that `{file}` names, or to an \
             environment variable that `{env}` names"
        ),
    );
    let found_file = section.text(file).map(|path| SecretSource::File(folder.join(path)));
    let found_env = section.checked(env, variable);
    if found_file.is_some() && found_env.is_some() {
        section.report(format!("found both `{file}` and `{env}`, expected one of them"));
    }
    found_file.or(found_env)
}

/// The same where there must be one.
pub(super) fn read_required(
    section: &mut Section<'_, '_>,
    folder: &Path,
    keys: &SecretKeys,
) -> SecretSource {
    let is_there = [keys.plain, keys.file, keys.env].iter().any(|key| section.has(key));
    let found = read_secret(section, folder, keys);
    if !is_there {
        section.report(format!("`{}` or `{}` is missing", keys.file, keys.env));
    }
    found.unwrap_or_else(|| SecretSource::Env(String::new()))
}

/// The error does not repeat the text: it may be the secret itself, written to the wrong key.
fn variable(text: &str) -> Result<SecretSource, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.starts_with(|c: char| !c.is_ascii_digit()) && text.chars().all(is_name) {
        return Ok(SecretSource::Env(text.to_owned()));
    }
    Err("expected the name of an environment variable: letters, digits and `_`, no digit first"
        .to_owned())
}
