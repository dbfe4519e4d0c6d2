//! Who called: the principal of an IAM or STS ARN, without account, session and path.

/// The principal of calls whose log names none.
pub const UNKNOWN_PRINCIPAL: &str = "unknown";

/// Returns the principal of an ARN: `role/Name`, `user/Name`, `root`, `federated-user/Name`; or
/// [`UNKNOWN_PRINCIPAL`] for what is not an ARN of IAM or STS.
///
/// The session name of an assumed role is dropped, since it is as unbounded as pods and laptops.
/// Forms: IAM User Guide, "IAM identifiers".
pub fn principal_of_arn(arn: &str) -> String {
    let mut parts = arn.splitn(6, ':');
    let (Some("arn"), Some(partition), Some(service), Some(_), Some(_), Some(resource)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return UNKNOWN_PRINCIPAL.to_owned();
    };
    if !partition.starts_with("aws") || !matches!(service, "iam" | "sts") {
        return UNKNOWN_PRINCIPAL.to_owned();
    }
    let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
    match (kind, name) {
        ("root", "") => "root".to_owned(),
        ("assumed-role", name) if !name.is_empty() => {
            let role = name.split('/').next().unwrap_or(name);
            format!("role/{role}")
        }
        ("role" | "user" | "federated-user", name) if !name.is_empty() => {
            // A path may stand before the name: user/division/team/Name.
            let last = name.rsplit('/').next().unwrap_or(name);
            format!("{kind}/{last}")
        }
        _ => UNKNOWN_PRINCIPAL.to_owned(),
    }
}

/// Returns `arn` without the session name of an assumed role: all that decides the principal, of
/// which there are few where sessions are many.
pub fn without_session(arn: &str) -> &str {
    let slash = memchr::memrchr(b'/', arn.as_bytes());
    match slash.and_then(|slash| arn.get(..slash)) {
        Some(role) if resource_of(role).starts_with("assumed-role/") => role,
        _ => arn,
    }
}

/// Returns what stands behind the last colon.
fn resource_of(arn: &str) -> &str {
    let colon = memchr::memrchr(b':', arn.as_bytes());
    colon.and_then(|colon| arn.get(colon + 1..)).unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_and_path_are_dropped() {
        for (arn, principal) in [
            ("arn:aws:sts::111122223333:assumed-role/chat-backend/i-0aa1", "role/chat-backend"),
            ("arn:aws:iam::111122223333:role/service/chat", "role/chat"),
            ("arn:aws-us-gov:iam::111122223333:user/div/Alice", "user/Alice"),
            ("arn:aws:iam::111122223333:root", "root"),
            ("arn:aws:sts::111122223333:federated-user/Bob", "federated-user/Bob"),
            ("arn:aws:s3:::bucket", "unknown"),
            ("AROAEXAMPLE:session", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(principal_of_arn(arn), principal, "{arn}");
        }
    }

    #[test]
    fn a_session_does_not_decide_the_principal() {
        let account = "arn:aws:sts::111122223333:";
        for (arn, without) in [
            ("assumed-role/chat/i-0aa1", "assumed-role/chat"),
            ("assumed-role/chat/", "assumed-role/chat"),
            ("assumed-role/chat", "assumed-role/chat"),
            ("role/service/chat", "role/service/chat"),
            ("user/div/Alice", "user/div/Alice"),
        ] {
            let arn = format!("{account}{arn}");
            assert_eq!(without_session(&arn), format!("{account}{without}"));
            assert_eq!(principal_of_arn(without_session(&arn)), principal_of_arn(&arn));
        }
        assert_eq!(without_session(""), "");
    }
}
