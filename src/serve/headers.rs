//! Headers of every answer that keep browsers from doing more with it than show it.
//!
//! There is no `Server` header: what runs here, and in which version, is nobody's business but of those who
//! may read `/metrics`.

use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// What is set where the answer says nothing of its own. A page brings the policy that its scripts need.
const DEFAULTS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "deny"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // Amounts of money do not belong into the caches of proxies.
    (CACHE_CONTROL, "no-store"),
];

/// Adds the headers; those of the web config come before all others.
pub(super) fn secure(headers: &mut HeaderMap, configured: &[(HeaderName, HeaderValue)]) {
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    for (name, value) in configured {
        headers.insert(name, value.clone());
    }
}
