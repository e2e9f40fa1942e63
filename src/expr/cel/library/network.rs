//! URLs, IP addresses and IP networks as Kubernetes' libraries `url`, `ip` and `cidr` have them.

use std::{fmt::Write as _, net::IpAddr};

use super::{Call, Function};
use crate::expr::cel::{EvalError, Opaque, Value, text};

pub(super) const URL: &[Function] = &[
    Function::new("url(string) -> URL", "reads an absolute URI or absolute path", |call| {
        let text = call.text(0)?;
        match Url::parse(text) {
            Some(_) => Ok(call.give(Opaque::Url(text))),
            None => Err(EvalError::refused(format!(
                "URL parse error during conversion from string: parse {text:?}: invalid URI for request"
            ))),
        }
    }),
    Function::new("isURL(string) -> bool", "whether it is an absolute URI or absolute path", |call| {
        Ok(Value::Bool(Url::parse(call.text(0)?).is_some()))
    }),
    Function::new("URL.getScheme() -> string", "`https` of `https://…`", |call| Ok(Value::String(url(call)?.scheme))),
    Function::new("URL.getHost() -> string", "host with port", |call| Ok(Value::String(url(call)?.host))),
    Function::new("URL.getHostname() -> string", "host without port", |call| {
        Ok(Value::String(url(call)?.split_host().0))
    }),
    Function::new("URL.getPort() -> string", "the port; empty when there is none", |call| {
        Ok(Value::String(url(call)?.split_host().1))
    }),
    Function::new("URL.getEscapedPath() -> string", "the path, what may not stand in one escaped", escaped_path),
    Function::new("URL.getQuery() -> map(string, list(string))", "the values of each key of the query", query),
];

/// Parts of a URL as Go's `url.ParseRequestURI` finds them.
struct Url<'t> {
    scheme: &'t str,
    host: &'t str,
    path: &'t str,
    query: &'t str,
}

impl<'t> Url<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        if text.is_empty() || text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return None;
        }
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            Some(("", _)) => return None,
            _ => ("", text),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !rest.starts_with('/') {
            return (!scheme.is_empty()).then_some(Url { scheme, host: "", path: "", query });
        }
        let (host, path) = match rest.strip_prefix("//") {
            Some(after) if !scheme.is_empty() || !rest.starts_with("///") => {
                let end = after.find('/').unwrap_or(after.len());
                let authority = &after[..end];
                (authority.rsplit_once('@').map_or(authority, |(_, host)| host), &after[end..])
            }
            _ => ("", rest),
        };
        let url = Url { scheme, host, path, query };
        (is_escaped(path) && url.has_valid_host()).then_some(url)
    }

    fn has_valid_host(&self) -> bool {
        if let Some(inner) = self.host.strip_prefix('[') {
            let Some((address, port)) = inner.split_once(']') else { return false };
            return address.bytes().all(|it| it.is_ascii_hexdigit() || b":.%".contains(&it)) && is_port(port);
        }
        let (name, port) = match self.host.rfind(':') {
            Some(at) => self.host.split_at(at),
            None => (self.host, ""),
        };
        let allowed = |it: u8| it.is_ascii_alphanumeric() || it >= 0x80 || b"-._~%!$&'()*+,;=".contains(&it);
        name.bytes().all(allowed) && is_port(port)
    }

    fn split_host(&self) -> (&'t str, &'t str) {
        let at = match self.host.rfind(']') {
            Some(bracket) => self.host[bracket..].find(':').map(|at| bracket + at),
            None => self.host.rfind(':'),
        };
        let (name, port) = at.map_or((self.host, ""), |at| (&self.host[..at], &self.host[at + 1..]));
        (name.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(name), port)
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it))
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|it| it.is_ascii_digit()))
}

/// Whether each percent sign begins an escape.
fn is_escaped(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.len() >= 2 && after.bytes().take(2).all(|it| it.is_ascii_hexdigit()))
}

fn url<'v>(call: &Call<'_, 'v>) -> Result<Url<'v>, EvalError> {
    match call.opaque(0)? {
        Opaque::Url(text) => Url::parse(text).ok_or(EvalError::NoSuchOverload),
        _ => Err(EvalError::NoSuchOverload),
    }
}

/// As Go has it: as written if that is a valid form of the path, else with all of it escaped anew.
fn escaped_path<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let path = url(call)?.path;
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&it);
    if path.bytes().all(|it| plain(it) || b"!'()*[]%".contains(&it)) {
        return Ok(Value::String(path));
    }
    let mut out = String::with_capacity(path.len() * 3);
    call.charge(path.len() / 8)?;
    for byte in unescape_bytes(path, false).unwrap_or_default() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    call.give_text(&out)
}

fn query<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let mut entries: Vec<(String, Vec<Value<'v>>)> = Vec::new();
    for part in url(call)?.query.split('&').filter(|part| !part.is_empty() && !part.contains(';')) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        call.charge(1 + entries.len())?;
        let (Some(key), Some(value)) = (unescape(key), unescape(value)) else { continue };
        let value = call.give_text(&value)?;
        match entries.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => entries.push((key, vec![value])),
        }
    }
    let mut out = Vec::with_capacity(entries.len());
    for (key, values) in entries {
        out.push((call.give_text(&key)?, call.give_list(&values)?));
    }
    call.give_map(&out)
}

/// The text of a part of a query.
fn unescape(text: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&unescape_bytes(text, true)?).into_owned())
}

fn unescape_bytes(text: &str, plus_is_space: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' if plus_is_space => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    Some(out)
}

pub(super) const IP: &[Function] = &[
    Function::new("ip(string) -> IP", "reads an IP address", |call| {
        let text = call.text(0)?;
        match parse_ip(text) {
            Ok(address) => Ok(call.give(Opaque::Ip(address))),
            Err(reason) => Err(refuse_ip(text, reason)),
        }
    }),
    Function::new("isIP(string) -> bool", "whether it is an IP address", |call| {
        Ok(Value::Bool(parse_ip(call.text(0)?).is_ok()))
    }),
    Function::new("ip.isCanonical(string) -> bool", "whether the address is written in its shortest form", |call| {
        let text = call.text(0)?;
        match parse_ip(text) {
            Ok(address) => Ok(Value::Bool(address.to_string() == text)),
            Err(reason) => Err(refuse_ip(text, reason)),
        }
    }),
    Function::new("string(IP) -> string", "the address", to_text),
    Function::new("IP.family() -> int", "4 or 6", |call| {
        Ok(Value::Int(if address(call, 0)?.is_ipv4() { 4 } else { 6 }))
    }),
    Function::new("IP.isUnspecified() -> bool", "whether it is `0.0.0.0` or `::`", |call| {
        test(call, |it| it.is_unspecified())
    }),
    Function::new("IP.isLoopback() -> bool", "whether it is of the host itself", |call| {
        test(call, |it| it.is_loopback())
    }),
    Function::new("IP.isLinkLocalMulticast() -> bool", "whether it is `224.0.0.0/24` or `ff02::/16`", |call| {
        test(call, |it| match it {
            IpAddr::V4(it) => it.octets()[..3] == [224, 0, 0],
            IpAddr::V6(it) => it.segments()[0] & 0xff0f == 0xff02,
        })
    }),
    Function::new("IP.isLinkLocalUnicast() -> bool", "whether it is `169.254.0.0/16` or `fe80::/10`", |call| {
        test(call, is_link_local)
    }),
    Function::new(
        "IP.isGlobalUnicast() -> bool",
        "whether it is none of the others, nor multicast or broadcast",
        |call| {
            test(call, |it| {
                let broadcast = matches!(it, IpAddr::V4(it) if it.is_broadcast());
                !(it.is_unspecified() || it.is_loopback() || it.is_multicast() || is_link_local(it) || broadcast)
            })
        },
    ),
];

pub(super) const CIDR: &[Function] = &[
    Function::new("cidr(string) -> CIDR", "reads an IP network", |call| {
        let text = call.text(0)?;
        let (address, bits) = parse_cidr(text).ok_or_else(|| refuse_cidr(text))?;
        Ok(call.give(Opaque::Cidr(address, bits)))
    }),
    Function::new("isCIDR(string) -> bool", "whether it is an IP network", |call| {
        Ok(Value::Bool(parse_cidr(call.text(0)?).is_some()))
    }),
    Function::new("string(CIDR) -> string", "the network", to_text),
    Function::new("CIDR.containsIP(string) -> bool", "whether an address is in it", |call| {
        let text = call.text(1)?;
        let address = parse_ip(text).map_err(|reason| refuse_ip(text, reason))?;
        let (network, bits) = network(call, 0)?;
        Ok(Value::Bool(contains(network, bits, address)))
    }),
    Function::new("CIDR.containsIP(IP) -> bool", "whether an address is in it", |call| {
        let (network, bits) = network(call, 0)?;
        Ok(Value::Bool(contains(network, bits, address(call, 1)?)))
    }),
    Function::new("CIDR.containsCIDR(string) -> bool", "whether another network lies in it", |call| {
        let text = call.text(1)?;
        let other = parse_cidr(text).ok_or_else(|| refuse_cidr(text))?;
        contains_network(call, other)
    }),
    Function::new("CIDR.containsCIDR(CIDR) -> bool", "whether another network lies in it", |call| {
        contains_network(call, network(call, 1)?)
    }),
    Function::new("CIDR.ip() -> IP", "its address as written", |call| Ok(call.give(Opaque::Ip(network(call, 0)?.0)))),
    Function::new("CIDR.masked() -> CIDR", "with the bits below the prefix cleared", |call| {
        let (address, bits) = network(call, 0)?;
        Ok(call.give(Opaque::Cidr(masked(address, bits), bits)))
    }),
    Function::new("CIDR.prefixLength() -> int", "the length of its prefix", |call| {
        Ok(Value::Int(i64::from(network(call, 0)?.1)))
    }),
];

fn parse_ip(text: &str) -> Result<IpAddr, &'static str> {
    if text.contains('%') {
        return Err("IP address with zone value is not allowed");
    }
    match text.parse() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => Err("IPv4-mapped IPv6 address is not allowed"),
        Ok(address) => Ok(address),
        Err(_) => Err("unable to parse IP"),
    }
}

fn refuse_ip(text: &str, reason: &str) -> EvalError {
    EvalError::refused(format!("IP Address {text:?} parse error during conversion from string: {reason}"))
}

fn refuse_cidr(text: &str) -> EvalError {
    let reason = match text.split_once('/').map(|(address, digits)| (parse_ip(address), digits)) {
        None => "no '/'".to_owned(),
        Some((Err(reason), _)) => reason.to_owned(),
        Some((Ok(_), digits)) if digits.parse::<u32>().is_ok() && !digits.starts_with(['0', '+']) => {
            "prefix length out of range".to_owned()
        }
        Some((Ok(_), digits)) => format!("bad bits after slash: {digits:?}"),
    };
    EvalError::refused(format!(
        "network address parse error during conversion from string: netip.ParsePrefix({text:?}): {reason}"
    ))
}

fn parse_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, digits) = text.split_once('/')?;
    let address = parse_ip(address).ok()?;
    let plain = digits.bytes().all(|it| it.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
    let bits: u8 = digits.parse().ok().filter(|_| plain)?;
    (bits <= width(address)).then_some((address, bits))
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(it) => IpAddr::V4((it.to_bits() & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)).into()),
        IpAddr::V6(it) => IpAddr::V6((it.to_bits() & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)).into()),
    }
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    network.is_ipv4() == address.is_ipv4() && masked(network, bits) == masked(address, bits)
}

fn contains_network<'v>(call: &Call<'_, 'v>, (other, other_bits): (IpAddr, u8)) -> Result<Value<'v>, EvalError> {
    let (own, bits) = network(call, 0)?;
    Ok(Value::Bool(bits <= other_bits && contains(own, bits, other)))
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => it.is_link_local(),
        IpAddr::V6(it) => it.segments()[0] & 0xffc0 == 0xfe80,
    }
}

fn address(call: &Call<'_, '_>, index: usize) -> Result<IpAddr, EvalError> {
    match call.opaque(index)? {
        Opaque::Ip(address) => Ok(*address),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn network(call: &Call<'_, '_>, index: usize) -> Result<(IpAddr, u8), EvalError> {
    match call.opaque(index)? {
        Opaque::Cidr(address, bits) => Ok((*address, *bits)),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn test<'v>(call: &Call<'_, 'v>, holds: fn(IpAddr) -> bool) -> Result<Value<'v>, EvalError> {
    Ok(Value::Bool(holds(address(call, 0)?)))
}

fn to_text<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    call.give_text(&text::string(call.value(0)).ok_or(EvalError::NoSuchOverload)?)
}

/// Whether a text is an absolute URI or an absolute path.
pub(super) fn is_uri(text: &str) -> bool {
    Url::parse(text).is_some()
}
