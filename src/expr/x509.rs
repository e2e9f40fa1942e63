//! Certificates: a certificate or certificate request as Go's structures of package `crypto/x509` look in JSON.
//!
//! In: PEM with an RSA key. Out: a map with all of Go's fields; what a certificate lacks is null, false or 0 as there.
//! Bytes are base 64, object identifiers lists of numbers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map as Json, Value as Any, json};
use x509_parser::{
    asn1_rs::{FromDer, Oid},
    certificate::X509Certificate,
    certification_request::X509CertificationRequest,
    cri_attributes::ParsedCriAttribute,
    extensions::{DistributionPointName, GeneralName, ParsedExtension, X509Extension},
    num_bigint::BigUint,
    pem::parse_x509_pem,
    public_key::PublicKey,
    time::ASN1Time,
    x509::{AlgorithmIdentifier, SubjectPublicKeyInfo, X509Name},
};

/// Decodes PEM; the error is Go's text.
pub(super) fn decode(text: &str) -> Result<Any, String> {
    let (_, pem) = parse_x509_pem(text.as_bytes()).map_err(|_| "failed to decode PEM block".to_owned())?;
    match pem.label.as_str() {
        "CERTIFICATE" => match X509Certificate::from_der(&pem.contents) {
            Ok((_, certificate)) => describe_certificate(&certificate),
            Err(_) => Err("failed to parse certificate: x509: malformed certificate".to_owned()),
        },
        "CERTIFICATE REQUEST" => match X509CertificationRequest::from_der(&pem.contents) {
            Ok((_, request)) => describe_request(&request),
            Err(error) => Err(format!("failed to parse certificate request: {error}")),
        },
        _ => Err("PEM block neither contains a CERTIFICATE or CERTIFICATE REQUEST".to_owned()),
    }
}

fn describe_certificate(certificate: &X509Certificate<'_>) -> Result<Any, String> {
    let tbs = &certificate.tbs_certificate;
    let mut out = Json::new();
    out.insert("Raw".to_owned(), bytes(certificate.as_raw()));
    out.insert("RawTBSCertificate".to_owned(), bytes(tbs.as_ref()));
    out.insert("RawIssuer".to_owned(), bytes(tbs.issuer.as_raw()));
    out.insert("Issuer".to_owned(), name(&tbs.issuer));
    out.insert("Version".to_owned(), json!(tbs.version.0 + 1));
    out.insert("SerialNumber".to_owned(), json!(tbs.serial.to_string().parse::<f64>().unwrap_or(f64::MAX)));
    out.insert("NotBefore".to_owned(), time(tbs.validity.not_before));
    out.insert("NotAfter".to_owned(), time(tbs.validity.not_after));
    describe_subject(&tbs.subject, &tbs.subject_pki, &mut out)?;
    describe_signature(&certificate.signature_algorithm, &certificate.signature_value.data, &mut out);
    let extensions: Vec<&X509Extension<'_>> = tbs.extensions().iter().collect();
    describe_alternative_names(&extensions, &mut out);
    describe_extensions(&extensions, &mut out);
    Ok(Any::Object(out))
}

fn describe_request(request: &X509CertificationRequest<'_>) -> Result<Any, String> {
    let info = &request.certification_request_info;
    let mut out = Json::new();
    out.insert("Raw".to_owned(), bytes(request.as_raw()));
    out.insert("RawTBSCertificateRequest".to_owned(), bytes(info.raw));
    out.insert("Version".to_owned(), json!(info.version.0));
    describe_subject(&info.subject, &info.subject_pki, &mut out)?;
    describe_signature(&request.signature_algorithm, &request.signature_value.data, &mut out);
    let extensions: Vec<&X509Extension<'_>> = info
        .iter_attributes()
        .filter_map(|attribute| match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(request) => Some(request.extensions.iter()),
            _ => None,
        })
        .flatten()
        .collect();
    describe_alternative_names(&extensions, &mut out);
    out.insert("Attributes".to_owned(), Any::Null);
    out.insert("Extensions".to_owned(), list(extensions.iter().map(|it| extension(it))));
    out.insert("ExtraExtensions".to_owned(), Any::Null);
    Ok(Any::Object(out))
}

fn describe_subject(
    subject: &X509Name<'_>,
    key: &SubjectPublicKeyInfo<'_>,
    out: &mut Json<String, Any>,
) -> Result<(), String> {
    let Ok(PublicKey::RSA(rsa)) = key.parsed() else {
        return Err("certificate should use rsa algorithm".to_owned());
    };
    let exponent = rsa.try_exponent().map_err(|error| error.to_string())?;
    out.insert("RawSubject".to_owned(), bytes(subject.as_raw()));
    out.insert("Subject".to_owned(), name(subject));
    out.insert("RawSubjectPublicKeyInfo".to_owned(), bytes(key.raw));
    out.insert("PublicKeyAlgorithm".to_owned(), json!(1));
    let modulus = BigUint::from_bytes_be(rsa.modulus).to_string();
    out.insert("PublicKey".to_owned(), json!({ "N": modulus, "E": exponent }));
    Ok(())
}

fn describe_signature(algorithm: &AlgorithmIdentifier<'_>, signature: &[u8], out: &mut Json<String, Any>) {
    let code = match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.2" => 1,
        "1.2.840.113549.1.1.4" => 2,
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => 3,
        "1.2.840.113549.1.1.11" => 4,
        "1.2.840.113549.1.1.12" => 5,
        "1.2.840.113549.1.1.13" => 6,
        "1.2.840.10040.4.3" => 7,
        "2.16.840.1.101.3.4.3.2" => 8,
        "1.2.840.10045.4.1" => 9,
        "1.2.840.10045.4.3.2" => 10,
        "1.2.840.10045.4.3.3" => 11,
        "1.2.840.10045.4.3.4" => 12,
        "1.3.101.112" => 16,
        _ => 0,
    };
    out.insert("SignatureAlgorithm".to_owned(), json!(code));
    out.insert("Signature".to_owned(), bytes(signature));
}

fn describe_alternative_names(extensions: &[&X509Extension<'_>], out: &mut Json<String, Any>) {
    let names: Vec<&GeneralName<'_>> = extensions
        .iter()
        .filter_map(|it| match it.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(names.general_names.iter()),
            _ => None,
        })
        .flatten()
        .collect();
    let pick = |picked: fn(&GeneralName<'_>) -> Option<Any>| list(names.iter().filter_map(|it| picked(it)));
    out.insert(
        "DNSNames".to_owned(),
        pick(|it| match it {
            GeneralName::DNSName(name) => Some(json!(name)),
            _ => None,
        }),
    );
    out.insert(
        "EmailAddresses".to_owned(),
        pick(|it| match it {
            GeneralName::RFC822Name(name) => Some(json!(name)),
            _ => None,
        }),
    );
    out.insert(
        "IPAddresses".to_owned(),
        pick(|it| match it {
            GeneralName::IPAddress(address) => ip(address),
            _ => None,
        }),
    );
    out.insert(
        "URIs".to_owned(),
        pick(|it| match it {
            GeneralName::URI(uri) => Some(url(uri)),
            _ => None,
        }),
    );
}

fn describe_extensions(extensions: &[&X509Extension<'_>], out: &mut Json<String, Any>) {
    for (field, value) in [
        ("KeyUsage", json!(0)),
        ("BasicConstraintsValid", json!(false)),
        ("IsCA", json!(false)),
        ("MaxPathLen", json!(0)),
        ("MaxPathLenZero", json!(false)),
        ("InhibitAnyPolicy", json!(0)),
        ("InhibitAnyPolicyZero", json!(false)),
        ("InhibitPolicyMapping", json!(0)),
        ("InhibitPolicyMappingZero", json!(false)),
        ("RequireExplicitPolicy", json!(0)),
        ("RequireExplicitPolicyZero", json!(false)),
        ("PermittedDNSDomainsCritical", json!(false)),
    ] {
        out.insert(field.to_owned(), value);
    }
    for field in [
        "ExtKeyUsage",
        "UnknownExtKeyUsage",
        "SubjectKeyId",
        "AuthorityKeyId",
        "OCSPServer",
        "IssuingCertificateURL",
        "CRLDistributionPoints",
        "PolicyIdentifiers",
        "Policies",
        "PolicyMappings",
        "PermittedDNSDomains",
        "ExcludedDNSDomains",
        "PermittedIPRanges",
        "ExcludedIPRanges",
        "PermittedEmailAddresses",
        "ExcludedEmailAddresses",
        "PermittedURIDomains",
        "ExcludedURIDomains",
        "ExtraExtensions",
        "UnhandledCriticalExtensions",
    ] {
        out.insert(field.to_owned(), Any::Null);
    }
    out.insert("Extensions".to_owned(), list(extensions.iter().map(|it| extension(it))));
    for it in extensions {
        describe_extension(it, out);
    }
}

fn describe_extension(it: &X509Extension<'_>, out: &mut Json<String, Any>) {
    match it.parsed_extension() {
        ParsedExtension::KeyUsage(usage) => {
            out.insert("KeyUsage".to_owned(), json!(usage.flags));
        }
        ParsedExtension::BasicConstraints(constraints) => {
            let length = constraints.path_len_constraint.map_or(-1, i64::from);
            out.insert("BasicConstraintsValid".to_owned(), json!(true));
            out.insert("IsCA".to_owned(), json!(constraints.ca));
            out.insert("MaxPathLen".to_owned(), json!(length));
            out.insert("MaxPathLenZero".to_owned(), json!(length == 0));
        }
        ParsedExtension::ExtendedKeyUsage(_) => {
            let all = Vec::<Oid<'_>>::from_der(it.value).map(|(_, all)| all).unwrap_or_default();
            let known = |id: &Oid<'_>| extended_key_usage(&id.to_id_string());
            out.insert("ExtKeyUsage".to_owned(), list(all.iter().filter_map(|id| known(id).map(|code| json!(code)))));
            let unknown = all.iter().filter(|id| known(id).is_none());
            out.insert("UnknownExtKeyUsage".to_owned(), list(unknown.map(identifier)));
        }
        ParsedExtension::SubjectKeyIdentifier(id) => {
            out.insert("SubjectKeyId".to_owned(), bytes(id.0));
        }
        ParsedExtension::AuthorityKeyIdentifier(authority) => {
            if let Some(id) = &authority.key_identifier {
                out.insert("AuthorityKeyId".to_owned(), bytes(id.0));
            }
        }
        ParsedExtension::AuthorityInfoAccess(access) => {
            let of = |method: &str| {
                list(access.iter().filter(|it| it.access_method.to_id_string() == method).filter_map(|it| {
                    match it.access_location {
                        GeneralName::URI(uri) => Some(json!(uri)),
                        _ => None,
                    }
                }))
            };
            out.insert("OCSPServer".to_owned(), of("1.3.6.1.5.5.7.48.1"));
            out.insert("IssuingCertificateURL".to_owned(), of("1.3.6.1.5.5.7.48.2"));
        }
        ParsedExtension::CRLDistributionPoints(points) => {
            let names = points.iter().filter_map(|point| match &point.distribution_point {
                Some(DistributionPointName::FullName(names)) => Some(names.iter()),
                _ => None,
            });
            let uris = names.flatten().filter_map(|name| match name {
                GeneralName::URI(uri) => Some(json!(uri)),
                _ => None,
            });
            out.insert("CRLDistributionPoints".to_owned(), list(uris));
        }
        ParsedExtension::CertificatePolicies(policies) => {
            out.insert("PolicyIdentifiers".to_owned(), list(policies.iter().map(|it| identifier(&it.policy_id))));
            out.insert("Policies".to_owned(), list(policies.iter().map(|it| json!(it.policy_id.to_id_string()))));
        }
        _ => {}
    }
}

fn extended_key_usage(id: &str) -> Option<u8> {
    Some(match id {
        "2.5.29.37.0" => 0,
        "1.3.6.1.5.5.7.3.1" => 1,
        "1.3.6.1.5.5.7.3.2" => 2,
        "1.3.6.1.5.5.7.3.3" => 3,
        "1.3.6.1.5.5.7.3.4" => 4,
        "1.3.6.1.5.5.7.3.5" => 5,
        "1.3.6.1.5.5.7.3.6" => 6,
        "1.3.6.1.5.5.7.3.7" => 7,
        "1.3.6.1.5.5.7.3.8" => 8,
        "1.3.6.1.5.5.7.3.9" => 9,
        "1.3.6.1.4.1.311.10.3.3" => 10,
        "2.16.840.1.113730.4.1" => 11,
        "1.3.6.1.4.1.311.2.1.22" => 12,
        "1.3.6.1.4.1.311.61.1.1" => 13,
        _ => return None,
    })
}

/// A distinguished name: the attributes that Go knows by name, and all of them.
fn name(name: &X509Name<'_>) -> Any {
    let all: Vec<(Oid<'_>, String)> = name
        .iter_attributes()
        .map(|it| {
            let text = it.as_str().map_or_else(|_| String::from_utf8_lossy(it.as_slice()).into_owned(), str::to_owned);
            (it.attr_type().clone(), text)
        })
        .collect();
    let of = |id: &str| {
        let id = format!("2.5.4.{id}");
        list(all.iter().filter(|(it, _)| it.to_id_string() == id).map(|(_, text)| json!(text)))
    };
    let last = |id: &str| match of(id) {
        Any::Array(mut all) => all.pop().unwrap_or(json!("")),
        _ => json!(""),
    };
    json!({
        "CommonName": last("3"),
        "Country": of("6"),
        "ExtraNames": null,
        "Locality": of("7"),
        "Names": list(all.iter().map(|(id, text)| json!({ "Type": identifier(id), "Value": text }))),
        "Organization": of("10"),
        "OrganizationalUnit": of("11"),
        "PostalCode": of("17"),
        "Province": of("8"),
        "SerialNumber": last("5"),
        "StreetAddress": of("9"),
    })
}

fn extension(it: &X509Extension<'_>) -> Any {
    json!({ "Critical": it.critical, "Id": identifier(&it.oid), "Value": bytes(it.value) })
}

/// A list; none is null, as a nil slice is.
fn list(items: impl Iterator<Item = Any>) -> Any {
    let items: Vec<Any> = items.collect();
    if items.is_empty() { Any::Null } else { Any::Array(items) }
}

fn bytes(bytes: &[u8]) -> Any {
    json!(STANDARD.encode(bytes))
}

fn identifier(id: &Oid<'_>) -> Any {
    list(id.to_id_string().split('.').filter_map(|part| part.parse::<u64>().ok()).map(|part| json!(part)))
}

fn ip(address: &[u8]) -> Option<Any> {
    let address = match <[u8; 4]>::try_from(address) {
        Ok(four) => std::net::IpAddr::from(four),
        Err(_) => std::net::IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
    };
    Some(json!(address.to_string()))
}

/// The parts of Go's `url.URL`.
fn url(uri: &str) -> Any {
    let (scheme, rest) = uri.split_once(':').unwrap_or(("", uri));
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path, opaque) = match rest.strip_prefix("//") {
        Some(rest) => {
            let at = rest.find('/').unwrap_or(rest.len());
            (&rest[..at], &rest[at..], "")
        }
        None if rest.starts_with('/') => ("", rest, ""),
        None => ("", "", rest),
    };
    json!({
        "ForceQuery": false, "Fragment": fragment, "Host": host, "OmitHost": false, "Opaque": opaque, "Path": path,
        "RawFragment": "", "RawPath": "", "RawQuery": query, "Scheme": scheme.to_ascii_lowercase(), "User": null,
    })
}

fn time(time: ASN1Time) -> Any {
    match jiff::Timestamp::from_second(time.timestamp()) {
        Ok(time) => json!(time.to_string()),
        Err(_) => Any::Null,
    }
}
