//! Tests of the functions, a table of expressions and results for each subject.

use super::super::tests::{check, eval, eval_on};

#[test]
fn standard_functions() {
    check(&[
        ("abs(`-1.5`)", "1.5"),
        ("avg(`[1, 2]`)", "1.5"),
        ("ceil(`1.2`)", "2"),
        ("floor(`-1.2`)", "-2"),
        ("contains(`[1, \"a\"]`, 'a')", "true"),
        ("contains(`[1, 2]`, '1')", "false"),
        ("contains('abc', 'b')", "true"),
        ("contains('abc', `1`)", "false"),
        (
            "contains(m, 'k1')",
            r#"error: Invalid type for: map[k1:v1 k2:2], expected: []jmespath.JpType{"array", "string"}"#,
        ),
        ("ends_with('abc', 'bc')", "true"),
        ("starts_with('abc', 'bc')", "false"),
        ("join(',', `[\"a\", \"b\"]`)", r#""a,b""#),
        ("join(',', `[]`)", r#""""#),
        ("join(',', `[1]`)", r#"error: Invalid type for: [1], expected: []jmespath.JpType{"array[string]"}"#),
        ("sort(keys(m))", r#"["k1","k2"]"#),
        ("values(`{\"a\": 1}`)", "[1]"),
        ("length('é日')", "2"),
        ("length(l)", "9"),
        ("length(m)", "2"),
        ("map(&n, objs)", "[1,2,3]"),
        ("map(&@.n.x, objs)", "[null,null,null]"),
        ("max(`[1, 3, 2]`)", "3"),
        ("max(`[\"a\", \"b\"]`)", r#""b""#),
        ("max(`[]`)", "null"),
        ("min(`[1, 3, 2]`)", "1"),
        ("max_by(objs, &n).n", "3"),
        ("min_by(objs, &g).n", "1"),
        ("max_by(els, &n)", "null"),
        ("max_by(objs, &@)", "error: invalid type, must be number of string"),
        ("merge(`{\"a\": 1, \"b\": 1}`, `{\"b\": 2}`)", r#"{"a":1,"b":2}"#),
        ("merge(n)", r#"error: Invalid type for: <nil>, expected: []jmespath.JpType{"object"}"#),
        ("not_null(n, zz, 'a', 'b')", r#""a""#),
        ("not_null(n, n)", "null"),
        ("reverse(`[1, 2]`)", "[2,1]"),
        ("reverse('aé')", r#""éa""#),
        ("sort(`[3, 1, 2]`)", "[1,2,3]"),
        (
            "sort(`[1, \"a\"]`)",
            r#"error: Invalid type for: [1 a], expected: []jmespath.JpType{"array[string]", "array[number]"}"#,
        ),
        ("sort_by(objs, &g)[].n", "[1,3,2]"),
        ("sort_by(objs, &yy)", r#"error: Unknown key "yy" in path"#),
        ("sort_by(els, &yy)", "[]"),
        ("sort_by(objs, &zz)", r#"error: Unknown key "zz" in path"#),
        ("to_array(n)", "[null]"),
        ("to_array(l) == l", "true"),
        ("to_number('1e3')", "1000"),
        ("to_number('1_000')", "null"),
        ("to_number('x')", "null"),
        ("to_number(`2`)", "2"),
        ("to_number(t)", "null"),
        ("to_number(l)", "null"),
        ("to_string('a')", r#""a""#),
        ("to_string(n)", r#""null""#),
        ("to_string(zz)", r#""null""#),
        ("to_string(m)", r#""{\"k1\":\"v1\",\"k2\":2}""#),
        ("to_string(avg(els))", "error: json: unsupported value: NaN"),
        ("type(n)", r#""null""#),
        ("[type(t), type(a), type(s), type(l), type(m)]", r#"["boolean","number","string","array","object"]"#),
    ]);
}

#[test]
fn functions_over_text() {
    check(&[
        ("[compare('a', 'b'), compare('b', 'b'), compare('b', 'a')]", "[-1,0,1]"),
        ("equal_fold('Straße', 'STRAßE')", "true"),
        ("equal_fold('\u{212a}', 'k')", "true"),
        ("equal_fold('a', 'b')", "false"),
        ("replace('aaa', 'a', 'b', `2`)", r#""bba""#),
        ("replace('aaa', 'a', 'b', `-1`)", r#""bbb""#),
        ("replace('aaa', 'a', 'b', `1.9`)", r#""baa""#),
        ("replace('aaa', 'a', 'b', `0`)", r#""aaa""#),
        ("replace('ab', '', '-', `-1`)", r#""-a-b-""#),
        ("replace_all('a.b.c', '.', '')", r#""abc""#),
        ("to_upper('aé')", r#""AÉ""#),
        ("to_lower('AÉ')", r#""aé""#),
        ("trim('--a-b-', '-')", r#""a-b""#),
        ("trim('xyaxy', 'yx')", r#""a""#),
        ("trim_prefix('v1', 'v')", r#""1""#),
        ("trim_prefix('1', 'v')", r#""1""#),
        ("split('a,b', ',')", r#"["a","b"]"#),
        ("split('abc', '')", r#"["a","b","c"]"#),
        ("split('', ',')", r#"[""]"#),
        ("split('', '')", "[]"),
        ("truncate('héllo', `2`)", r#""hé""#),
        ("truncate('abc', `2.9`)", r#""ab""#),
        ("truncate('abc', `-1`)", r#""""#),
        ("truncate('abc', `9`)", r#""abc""#),
        ("path_canonicalize('/a//b/../c/')", r#""/a/c""#),
        ("path_canonicalize('')", r#""""#),
        ("path_canonicalize('./')", r#"".""#),
        ("path_canonicalize('a/../..')", r#""..""#),
        ("path_canonicalize('/../a')", r#""/a""#),
    ]);
}

#[test]
fn functions_over_lists_and_maps() {
    check(&[
        ("label_match(`{\"a\": \"1\"}`, `{\"a\": \"1\", \"b\": \"2\"}`)", "true"),
        ("label_match(`{\"a\": \"1\"}`, `{\"a\": 1}`)", "false"),
        ("label_match(`{\"c\": \"1\"}`, `{\"a\": \"1\"}`)", "false"),
        ("label_match(em, m)", "true"),
        ("lookup(m, 'k1')", r#""v1""#),
        ("lookup(m, 'zz')", "null"),
        ("lookup(l, `2`)", "2"),
        ("lookup(l, `99`)", "null"),
        ("lookup(l, `-1`)", "null"),
        ("lookup(l, `1.5`)", "error: JMESPath function 'lookup': argument #2 is expected of integer type"),
        ("lookup(l, 'a')", "error: JMESPath function 'lookup': argument #2 is expected of integer type"),
        ("lookup(m, `1`)", "error: JMESPath function 'lookup': argument #2 is expected of string type"),
        ("items(`{\"b\": 1, \"a\": 2}`, 'k', 'v')", r#"[{"k":"a","v":2},{"k":"b","v":1}]"#),
        ("items(`[\"x\"]`, 'k', 'v')", r#"[{"k":0,"v":"x"}]"#),
        ("items(`{\"b\": 1}`, 'k', 'k')", r#"[{"k":1}]"#),
        ("items(els, 'k', 'v')", "[]"),
        ("object_from_lists(`[\"a\", 1, true, \"a\"]`, `[1, 2]`)", r#"{"1":2,"a":null,"true":null}"#),
        ("object_from_lists(`[\"a\", \"a\"]`, `[1, 2]`)", r#"{"a":2}"#),
        ("to_boolean('TRUE')", "true"),
        ("to_boolean('false')", "false"),
    ]);
    assert!(eval("to_boolean('yes')").starts_with("error: JMESPath function 'to_boolean': "));
    assert!(eval("object_from_lists(`[null]`, els)").starts_with("error: JMESPath function 'object_from_lists': "));
}

#[test]
fn encodings() {
    check(&[
        ("base64_encode('hello')", r#""aGVsbG8=""#),
        ("base64_decode('aGVsbG8=')", r#""hello""#),
        ("base64_decode('aGVs\nbG8=')", r#""hello""#),
        ("md5('')", r#""d41d8cd98f00b204e9800998ecf8427e""#),
        ("sha1('')", r#""da39a3ee5e6b4b0d3255bfef95601890afd80709""#),
        ("sha256('')", r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#),
        ("parse_json('{\"a\": [1, null]}')", r#"{"a":[1,null]}"#),
        ("parse_json('1') == `1`", "true"),
    ]);
}

#[test]
fn patterns() {
    check(&[
        (r"regex_match('^v\d+$', 'v12')", "true"),
        ("regex_match('^1000000$', `1000000`)", "true"),
        ("regex_match('b', 'abc')", "true"),
        ("regex_match('a', t)", r#"error: Invalid type for: true, expected: []jmespath.JpType{"string", "number"}"#),
        ("regex_replace_all('(a+)b', 'aab-ab', '[$1]')", r#""[aa]-[a]""#),
        ("regex_replace_all('(a)', 'a', '$1y')", r#""""#),
        ("regex_replace_all('(a)', 'a', '${1}y')", r#""ay""#),
        ("regex_replace_all_literal('a', 'aXa', '$1')", r#""$1X$1""#),
        ("regex_replace_all('x*', 'ab', '-')", r#""-a-b-""#),
        ("pattern_match('a?c*', 'abc')", "true"),
        ("pattern_match('a?', 'a')", "false"),
        ("pattern_match('10*', `1000000`)", "true"),
        ("random('[a-z]{4}') || 'x'", "error: cannot be known offline: a random text like \"[a-z]{4}\""),
        ("random('')", "error: JMESPath function 'random': pattern provided is empty"),
    ]);
}

#[test]
fn arithmetic() {
    check(&[
        ("add(`1`, `2.5`)", "3.5"),
        ("add('1', '2')", r#""3""#),
        ("add('500m', '500m')", r#""1""#),
        ("add('1.5', '1')", r#""2500m""#),
        ("add('1000Mi', '24Mi')", r#""1Gi""#),
        ("add('1', '1Gi')", r#""1073741825""#),
        ("add('1h', '30m')", "error: JMESPath function 'add': Types mismatch"),
        ("add('1h', '1800s')", r#""1h30m0s""#),
        ("add('x', '1')", "error: JMESPath function 'add': invalid operand"),
        ("add(`1`, '1')", "error: JMESPath function 'add': Types mismatch"),
        ("subtract('1Gi', '512Mi')", r#""512Mi""#),
        ("subtract('1h30m', '1h30m')", r#""0s""#),
        ("multiply('1Ki', `0.3`)", r#""307200m""#),
        ("multiply(`2`, '1h')", r#""2h0m0s""#),
        ("multiply('1h', `1.5`)", r#""1h30m0s""#),
        ("multiply('1', '2')", "error: JMESPath function 'multiply': Types mismatch"),
        ("divide('1Gi', `3`)", r#""357913941""#),
        ("divide('1Gi', '256Mi')", "4"),
        ("divide('2h', '30m0s')", "4"),
        ("divide('2h', `2`)", r#""1h0m0s""#),
        ("divide(`1`, `0`)", "error: JMESPath function 'divide': Zero divisor passed"),
        ("divide('1', '0')", "error: JMESPath function 'divide': Zero divisor passed"),
        ("divide(`1`, '1')", "error: JMESPath function 'divide': Types mismatch"),
        ("modulo('10Gi', '3Gi')", r#""1Gi""#),
        ("modulo(`-7`, `3`)", "-1"),
        ("modulo('1h30m', '1h0m')", r#""30m0s""#),
        ("modulo(`1.5`, `1`)", "error: JMESPath function 'modulo': Non-integer argument(s) passed for modulo"),
        ("modulo(`1`, `0`)", "error: JMESPath function 'modulo': Zero divisor passed"),
        ("sum(`[1, 2, 3]`)", "6"),
        (r#"sum(`["1Gi", "1Gi"]`)"#, r#""2Gi""#),
        (r#"sum(`["x"]`)"#, r#""x""#),
        ("sum(`[]`)", "error: JMESPath function 'sum': at least one element in the array is required"),
    ]);
}

#[test]
fn versions_and_images() {
    check(&[
        ("semver_compare('4.1.3', '>=4.1.2 <5.0.0')", "true"),
        ("semver_compare('4.1.3', '4.2.x || 5.x')", "false"),
        ("semver_compare('v1.2.3', '=0.0.0')", "true"),
        ("image_normalize('nginx')", r#""docker.io/nginx:latest""#),
        ("image_normalize('a/b:v1')", r#""docker.io/a/b:v1""#),
        ("image_normalize('localhost/a')", r#""localhost/a:latest""#),
    ]);
    assert!(eval("semver_compare('1.2.3', '~1')").starts_with("error: JMESPath function 'semver_compare': "));
    assert!(eval("image_normalize('A:b:c')").starts_with("error: JMESPath function 'image_normalize': "));
}

#[test]
fn times() {
    check(&[
        ("time_since('', '2023-01-02T15:04:05Z', '2023-01-02T16:04:05Z')", r#""1h0m0s""#),
        ("time_since('2006-01-02', '2023-01-02', '2023-01-01')", r#""-24h0m0s""#),
        ("time_add('2023-01-02T15:04:05.9Z', '3h')", r#""2023-01-02T18:04:05Z""#),
        ("time_truncate('2023-01-02T15:04:05+05:30', '24h')", r#""2023-01-02T05:30:00+05:30""#),
        ("time_utc('2023-01-02T15:04:05+05:30')", r#""2023-01-02T09:34:05Z""#),
        ("time_parse('15:04', '16:05')", r#""0000-01-01T16:05:00Z""#),
        ("time_parse('1', '1700000000')", r#""2023-11-14T22:13:20Z""#),
        ("time_to_cron('2023-01-01T15:04:05Z')", r#""4 15 1 1 0""#),
        ("time_diff('2023-01-02T15:04:05Z', '2023-01-02T15:04:06Z')", r#""1s""#),
        ("time_before('2023-01-02T15:04:05Z', '2023-01-02T15:04:05Z')", "false"),
        ("time_after('2023-01-02T15:04:06Z', '2023-01-02T15:04:05Z')", "true"),
        ("time_between('2023-01-02T00:00:00Z', '2023-01-01T00:00:00Z', '2023-01-03T00:00:00Z')", "true"),
        ("time_between('2023-01-01T00:00:00Z', '2023-01-01T00:00:00Z', '2023-01-03T00:00:00Z')", "false"),
        ("time_now() == time_now_utc()", "true"),
    ]);
}

/// The texts are those of Go's libraries, which Kyverno passes on.
#[test]
fn what_a_function_refuses_is_said_as_go_says_it() {
    let no_date = r#"parsing time "1 May" as "2006-01-02T15:04:05Z07:00": cannot parse "1 May" as "2006""#;
    let no_paren = "error parsing regexp: missing closing ): `(`";
    for (expression, said) in [
        ("base64_decode('*')", "illegal base64 data at input byte 0"),
        ("base64_decode('aGVsbG8')", "illegal base64 data at input byte 4"),
        ("parse_json('')", "unexpected end of JSON input"),
        ("parse_json('{')", "unexpected end of JSON input"),
        ("parse_json('{a: 1}')", "invalid character 'a' looking for beginning of object key string"),
        ("parse_json('1 2')", "invalid character '2' after top-level value"),
        ("regex_match('(', 'a')", no_paren),
        ("regex_replace_all('(', 'a', 'b')", no_paren),
        ("regex_replace_all_literal('(', 'a', 'b')", no_paren),
        ("random('(')", no_paren),
        ("random('')", "pattern provided is empty"),
        ("time_add('1 May', '1h')", no_date),
        ("time_add('2023-01-02T15:04:05Z', '1d')", r#"time: unknown unit "d" in duration "1d""#),
        ("time_add('2023-01-02T15:04:05Z', '1')", r#"time: missing unit in duration "1""#),
        ("time_truncate('1 May', '1h')", no_date),
        ("time_truncate('2023-01-02T15:04:05Z', 'x')", r#"time: invalid duration "x""#),
        ("time_after('1 May', '')", no_date),
        ("time_before('1 May', '')", no_date),
        ("time_between('1 May', '', '')", no_date),
        ("time_diff('1 May', '')", no_date),
        ("time_since('', '1 May', '')", no_date),
        ("time_since('15:04', 'x', '')", r#"parsing time "x" as "15:04": cannot parse "x" as "15""#),
        ("time_to_cron('1 May')", no_date),
        ("time_utc('1 May')", no_date),
        ("time_parse('2006-01-02', '2023-02-30')", r#"parsing time "2023-02-30": day out of range"#),
        ("time_parse('1', 'x')", r#"strconv.Atoi: parsing "x": invalid syntax"#),
        ("semver_compare('1.2.3', '~1.0.0')", r#"Could not parse comparator "~" in "~1.0.0""#),
        ("image_normalize('a:b:c')", "invalid reference format"),
        ("is_external_url(':')", r#"parse ":": missing protocol scheme"#),
        ("x509_decode('x')", "failed to decode PEM block"),
        (
            "x509_decode('-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n')",
            "failed to parse certificate: x509: malformed certificate",
        ),
        ("add('x', '1')", "invalid operand"),
        ("to_boolean('yes')", "lowercase argument must be 'true' or 'false' (provided: 'yes')"),
    ] {
        let name = &expression[..expression.find('(').expect("a call")];
        assert_eq!(eval(expression), format!("error: JMESPath function '{name}': {said}"), "{expression}");
    }
}

#[test]
fn yaml_is_read_as_kubernetes_reads_it() {
    check(&[
        ("parse_yaml('a: [yes, 012]')", r#"{"a":[true,10]}"#),
        ("parse_yaml('value: x').value", r#""x""#),
        ("parse_yaml('')", "null"),
    ]);
    assert!(eval("parse_yaml('a: [')").starts_with("error: JMESPath function 'parse_yaml': "));
}

#[test]
fn certificates_are_decoded_as_go_does() {
    let pem = serde_json::json!({
        "cert": include_str!("testdata/rsa.pem"), "csr": include_str!("testdata/request.pem"),
        "ec": include_str!("testdata/ecdsa.pem"),
    });
    let modulus = "154415326358440285530353492897826658254421146878910937474798279152093728984939897135534047972156828566953320065732719486686923220890473935449490636773142415452268907053787628997891370850205156088050777104340548055330900945120267980615511645897924693202853468778504618825337852392933432081610291402841312570483";
    for (expression, expected) in [
        (
            "x509_decode(cert).Subject | [CommonName, Country, Organization, OrganizationalUnit, Province]",
            r#"["web.example.com",["DE"],["Example"],["Tests"],null]"#,
        ),
        ("x509_decode(cert).Issuer.Names[0]", r#"{"Type":[2,5,4,6],"Value":"DE"}"#),
        ("x509_decode(cert).PublicKey.N", &format!("\"{modulus}\"")),
        ("x509_decode(csr).PublicKey.N", &format!("\"{modulus}\"")),
        ("x509_decode(cert).PublicKey.E", "65537"),
        ("x509_decode(cert).[NotBefore, NotAfter]", r#"["2026-11-24T23:12:45Z","2036-11-21T23:12:45Z"]"#),
        (
            "x509_decode(cert).[DNSNames, IPAddresses, EmailAddresses, URIs[0].Host]",
            r#"[["web.example.com","*.example.com"],["10.0.0.1"],["a@example.com"],"example.com"]"#,
        ),
        ("x509_decode(cert).[SerialNumber, IsCA, Version, KeyUsage, ExtKeyUsage]", "[4660,false,3,5,[2,1]]"),
        (
            "x509_decode(cert).[BasicConstraintsValid, MaxPathLen, MaxPathLenZero, AuthorityKeyId, SubjectKeyId]",
            r#"[true,-1,false,null,"fWgmlc6VE7DcVTH+5oKJVNVl4PU="]"#,
        ),
        ("x509_decode(cert).[PublicKeyAlgorithm, SignatureAlgorithm]", "[1,4]"),
        ("x509_decode(cert).Extensions[0]", r#"{"Critical":true,"Id":[2,5,29,19],"Value":"MAA="}"#),
        ("x509_decode(csr).[Version, SignatureAlgorithm, DNSNames[0]]", r#"[0,4,"web.example.com"]"#),
        ("x509_decode(ec)", "error: JMESPath function 'x509_decode': certificate should use rsa algorithm"),
        ("x509_decode('x')", "error: JMESPath function 'x509_decode': failed to decode PEM block"),
    ] {
        assert_eq!(eval_on(&pem, expression), expected, "{expression}");
    }
}

#[test]
fn hosts_are_external_unless_private() {
    check(&[
        ("is_external_url('https://8.8.8.8/x')", "true"),
        ("is_external_url('http://10.0.0.1:8080')", "false"),
        ("is_external_url('http://127.0.0.1')", "false"),
        ("is_external_url('http://169.254.1.1')", "true"),
        ("is_external_url('http://user@192.168.0.1/')", "false"),
        ("is_external_url('http://[::1]:80/')", "false"),
        ("is_external_url('http://[fd00::1]')", "false"),
        ("is_external_url('http://[2001:4860::8888]')", "true"),
        ("is_external_url('http://localhost:8080')", "false"),
        ("is_external_url('8.8.8.8')", "error: JMESPath function 'is_external_url': lookup : no such host"),
        (
            "is_external_url('https://example.com') || t",
            "error: cannot be known offline: DNS records of \"example.com\"",
        ),
    ]);
    for text in ["", ":", "8.8.8.8:80", "http://[::1", "http://a:b", "http://a b/"] {
        assert!(eval(&format!("is_external_url('{text}')")).starts_with("error: JMESPath function"), "{text}");
    }
}

#[test]
fn names_are_unique_and_described() {
    let all = super::list();
    for pair in all.windows(2) {
        assert!(pair[0].name < pair[1].name, "{}", pair[1].name);
    }
    assert!(all.iter().all(|function| !function.note.is_empty()));
    let signature = |name: &str| super::find(name).map(super::Function::signature).unwrap_or_default();
    assert_eq!(signature("items"), "items(object|array, string, string) array");
    assert_eq!(signature("merge"), "merge(object...) object");
}
