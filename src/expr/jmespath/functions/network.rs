//! `is_external_url`: whether a URL leads out of the private networks, as far as that can be told offline.

use std::net::IpAddr;

use super::{Call, Function, STRING};
use crate::expr::{
    Value,
    jmespath::{EvalError, eval::Outcome},
};

pub(super) const FUNCTIONS: &[Function] = &[Function::own(
    "is_external_url",
    &[STRING],
    "bool",
    "whether the host of a URL is neither loopback nor private; host names are unknown offline",
    is_external_url,
)];

// Differs: Kyverno asks DNS for the addresses of a host name; nothing is asked here.
fn is_external_url<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let url = call.text(0)?;
    let host = match host(url) {
        Ok("") => return Err(call.refuse("lookup : no such host")),
        Ok(host) => host,
        Err(text) => return Err(call.refuse(format!("parse {url:?}: {text}"))),
    };
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(Value::Bool(false));
    }
    // A zone belongs to the machine, not to the address.
    let address = host.split('%').next().unwrap_or(host);
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(EvalError::Indeterminate { missing: format!("DNS records of {host:?}") }.into());
    };
    let internal = match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    };
    Ok(Value::Bool(!internal))
}

/// The host of a URL without port and brackets; empty when there is none.
fn host(url: &str) -> Result<&str, &'static str> {
    if url.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("net/url: invalid control character in URL");
    }
    let url = url.split('#').next().unwrap_or(url);
    let rest = match url.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        Some(("", _)) => return Err("missing protocol scheme"),
        // Before the first slash a colon is only good behind a scheme.
        Some((before, _)) if !before.contains(['/', '?']) => {
            return Err("first path segment in URL cannot contain colon");
        }
        _ => url,
    };
    let Some(authority) = rest.strip_prefix("//") else {
        return Ok("");
    };
    let authority = authority.split(['/', '?']).next().unwrap_or(authority);
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = if let Some(bracketed) = host_port.strip_prefix('[') {
        bracketed.split_once(']').ok_or("missing ']' in host")?
    } else {
        let at = host_port.rfind(':').unwrap_or(host_port.len());
        host_port.split_at(at)
    };
    let digits = port.strip_prefix(':').unwrap_or("x");
    if !port.is_empty() && !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("invalid port after host");
    }
    if host.contains([' ', '<', '>', '"', '\\', '^', '`', '{', '|', '}']) {
        return Err("invalid character in host name");
    }
    Ok(host)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}
