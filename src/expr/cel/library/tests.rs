//! Tests of the functions, a table of each library.
//!
//! Sources: the pages of [CEL in Kubernetes](https://kubernetes.io/docs/reference/using-api/cel/), of the
//! [extensions of cel-go](https://github.com/google/cel-go/blob/master/ext/README.md), and of
//! [Kyverno's libraries](https://kyverno.io/docs/policy-types/cel-libraries/).

use crate::expr::cel::tests::{check, eval};

#[test]
fn conversions() {
    check(&[
        ("int(1.9)", "1"),
        ("int(-1.9)", "-1"),
        ("int('12')", "12"),
        ("int(timestamp('1970-01-01T00:01:00Z'))", "60"),
        ("int(1e30)", "refused: integer overflow"),
        ("uint(-1)", "refused: unsigned integer overflow"),
        ("uint('7')", "7u"),
        ("double('1.5')", "1.5"),
        ("bool('True')", "true"),
        ("bool('yes')", "refused: strconv.ParseBool: parsing \"yes\": invalid syntax"),
        ("string(1.0)", "\"1\""),
        ("string(1e21)", "\"1e+21\""),
        ("string(9007199254740992.0)", "\"9.007199254740992e+15\""),
        ("string(true) + string(1u) + string(b'x')", "\"true1x\""),
        ("string(duration('1h30m'))", "\"5400s\""),
        ("string(duration('1.5s'))", "\"1.5s\""),
        ("string(timestamp('2024-01-02T03:04:05.06Z'))", "\"2024-01-02T03:04:05.06Z\""),
        ("string(object.l)", "error: no such overload: string(list)"),
        ("string(object.n)", "error: no such overload: string(null_type)"),
        ("bytes('é')", "b\"\\xc3\\xa9\""),
        ("size('é') == 1 && 'é'.size() == 1 && size(b'\\xff\\xff') == 2 && {'a': 1}.size() == 1", "true"),
    ]);
}

#[test]
fn times_and_durations() {
    check(&[
        ("timestamp('2024-03-05T06:07:08Z').getFullYear()", "2024"),
        ("timestamp('2024-03-05T06:07:08Z').getMonth()", "2"),
        ("timestamp('2024-03-05T06:07:08Z').getDate()", "5"),
        ("timestamp('2024-03-05T06:07:08Z').getDayOfMonth()", "4"),
        ("timestamp('2024-03-05T06:07:08Z').getDayOfWeek()", "2"),
        ("timestamp('2024-03-05T06:07:08Z').getDayOfYear()", "64"),
        ("timestamp('2024-03-05T06:07:08Z').getHours('+02:30')", "8"),
        ("timestamp('2024-03-05T06:07:08Z').getMinutes('-00:30')", "37"),
        ("timestamp('2024-03-05T06:07:08Z').getHours('America/New_York')", "1"),
        ("timestamp('2024-03-05T06:07:08Z').getHours('Nowhere/At_all')", "error: unknown time zone Nowhere/At_all"),
        ("timestamp('2024-03-05T06:07:08.25Z').getMilliseconds()", "250"),
        ("duration('1.5s').getMilliseconds()", "1500"),
        ("duration('90m').getHours()", "1"),
        ("timestamp('2024-03-05T06:00:00Z') + duration('1h')", "timestamp(\"2024-03-05T07:00:00Z\")"),
        ("timestamp('2024-03-05T06:00:00Z') - timestamp('2024-03-05T05:00:00Z')", "duration(\"3600s\")"),
        ("timestamp(0)", "timestamp(\"1970-01-01T00:00:00Z\")"),
        ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", "error: timestamp overflow"),
        ("time.now()", "timestamp(\"2024-03-05T06:07:08Z\")"),
        ("time.truncate(time.now(), duration('1h'))", "timestamp(\"2024-03-05T06:00:00Z\")"),
        ("time.toCron(time.now())", "\"7 6 5 3 2\""),
    ]);
}

#[test]
fn strings() {
    check(&[
        ("'tacocat'.charAt(3)", "\"o\""),
        ("'abc'.charAt(3)", "\"\""),
        ("'abc'.charAt(4)", "error: index out of range: 4"),
        ("'hello mellow'.indexOf('ello', 2)", "7"),
        ("'hello mellow'.indexOf('ello', 20)", "-1"),
        ("'hello mellow'.indexOf('')", "0"),
        ("'hello mellow'.lastIndexOf('ello')", "7"),
        ("'hello mellow'.lastIndexOf('ello', 6)", "1"),
        ("'hello mellow'.lastIndexOf('')", "12"),
        ("'éaé'.indexOf('é', 1)", "2"),
        ("['x', 'y'].join('-')", "\"x-y\""),
        ("[].join()", "\"\""),
        ("object.l.join(',')", "error: no such overload"),
        ("'TaÉ'.lowerAscii() + 'ñA'.upperAscii()", "\"taÉñA\""),
        ("'hello hello'.replace('he', 'we', 1)", "\"wello hello\""),
        ("'hello hello'.replace('he', 'we', 0)", "\"hello hello\""),
        ("'ab'.replace('', '-')", "\"-a-b-\""),
        ("'a b c'.split(' ')", "[\"a\", \"b\", \"c\"]"),
        ("'a b c'.split(' ', 2)", "[\"a\", \"b c\"]"),
        ("'a b c'.split(' ', 0)", "[]"),
        ("'abc'.split('')", "[\"a\", \"b\", \"c\"]"),
        ("'tacocat'.substring(4)", "\"cat\""),
        ("'tacocat'.substring(0, 4)", "\"taco\""),
        ("'tacocat'.substring(9)", "error: index out of range: 9"),
        ("'tacocat'.substring(4, 1)", "error: invalid substring range. start: 4, end: 1"),
        ("'  \\ttrim\\n '.trim()", "\"trim\""),
        ("strings.quote('a\\n\"b')", "\"\\\"a\\\\n\\\\\\\"b\\\"\""),
        ("'abc'.reverse()", "refused: found no matching overload for 'reverse' applied to 'string.()'"),
        ("object.i.contains('a')", "error: no such overload: contains(int, string)"),
        ("'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.matches('^a.c$')", "true"),
    ]);
}

#[test]
fn formats_of_texts() {
    check(&[
        ("'%s %d %%'.format(['a', 1])", "\"a 1 %\""),
        ("'%s'.format([3.0])", "\"3\""),
        ("'%s'.format([object.d])", "\"1.5\""),
        ("'%s'.format([[1, 2]])", "\"[1, 2]\""),
        ("'%s'.format([['a']])", "\"[\\\"a\\\"]\""),
        ("'%s'.format([{'b': 80.0, 'a': 1.0}])", "\"{\\\"a\\\":1.000000, \\\"b\\\":80.000000}\""),
        ("'%s %s %s %s'.format([null, true, type(1), duration('5s')])", "\"null true int 5s\""),
        ("'%f %.2f'.format([1.5, 2.345])", "\"1.500000 2.35\""),
        ("'%e'.format([10.0])", "\"1.000000×10⁰¹\""),
        ("'%b %o %x %X'.format([5, 8, 255, 'hi'])", "\"101 10 ff 6869\""),
        (
            "'%d'.format([object.s])",
            "error: error during formatting: decimal clause can only be used on integers, was given string",
        ),
        ("'%s'.format([])", "refused: index 0 out of range"),
        ("'a'.format([1])", "refused: too many arguments supplied to string.format"),
        ("'%z'.format([1])", "refused: could not parse formatting clause: unrecognized formatting clause \"z\""),
    ]);
}

#[test]
fn lists_and_sets() {
    check(&[
        ("[1, 2, 3, 4].slice(1, 3)", "[2, 3]"),
        ("[1].slice(0, 2)", "error: cannot slice(0, 2), list is length 1"),
        ("[1, [2, [3]]].flatten()", "refused: expected type 'int' but found 'list(int)'"),
        ("[[1], [2, 3]].flatten()", "[1, 2, 3]"),
        ("[[[1]], [[2]]].flatten(2)", "[1, 2]"),
        ("[3, 1, 2].sort()", "[1, 2, 3]"),
        ("object.m.map(k, object.m[k]).sort()", "error: no such overload"),
        ("[1, 2, 1].distinct()", "[1, 2]"),
        ("[1, 2].reverse()", "[2, 1]"),
        ("lists.range(3)", "[0, 1, 2]"),
        ("[1, 2].first().value() + [1, 2].last().value()", "3"),
        ("object.els.first()", "optional.none()"),
        ("[1, 2, 3].isSorted() && ![2, 1].isSorted()", "true"),
        ("[1, 2].sum() + [3, 1].min() + [3, 1].max()", "7"),
        ("[1.5, 2.5].sum()", "4.0"),
        ("object.els.max()", "error: max called on empty list"),
        ("[1, 2, 2].indexOf(2) + [1, 2, 2].lastIndexOf(2)", "3"),
        ("sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])", "true"),
        ("sets.contains([], []) && sets.equivalent([dyn(1)], [dyn(1.0), dyn(1u)])", "true"),
    ]);
}

#[test]
fn patterns() {
    check(&[
        ("'abc 123'.find('[0-9]+')", "\"123\""),
        ("'abc'.find('[0-9]+')", "\"\""),
        ("'1 2 3'.findAll('[0-9]')", "[\"1\", \"2\", \"3\"]"),
        ("'1 2 3'.findAll('[0-9]', 2)", "[\"1\", \"2\"]"),
        ("regex.replace('foo bar', '(fo)o (ba)r', r'\\2 \\1')", "\"ba fo\""),
        ("regex.replace('banana', 'a', 'x', 2)", "\"bxnxna\""),
        ("regex.extract('item-A', 'item-(\\\\w)')", "optional.of(\"A\")"),
        ("regex.extract('x', 'y')", "optional.none()"),
        ("regex.extractAll('id:1, id:2', 'id:\\\\d')", "[\"id:1\", \"id:2\"]"),
    ]);
}

#[test]
fn numbers() {
    check(&[
        ("math.greatest(1, 2.5, 2u)", "2.5"),
        ("math.least([3, 1, 2])", "1"),
        ("math.ceil(1.2) + math.floor(1.8) + math.trunc(-1.9)", "2.0"),
        ("math.round(1.5) == 2.0 && math.round(-1.5) == -2.0", "true"),
        ("math.round(3.14159, 2)", "3.14"),
        ("math.abs(-3) + math.sign(-7)", "2"),
        ("math.sqrt(16)", "4.0"),
        ("math.isNaN(0.0 / 0.0) && math.isInf(1.0 / 0.0) && math.isFinite(1.0)", "true"),
        ("math.bitAnd(6, 3) + math.bitOr(6, 3) + math.bitXor(6, 3) + math.bitNot(0)", "13"),
        ("math.bitShiftLeft(1, 3) + math.bitShiftRight(16, 2)", "12"),
        ("math.bitShiftRight(-1, 60)", "15"),
        ("math.bitShiftLeft(1, -1)", "error: math.bitShiftLeft() negative offset: -1"),
    ]);
}

#[test]
fn networks() {
    check(&[
        ("url('https://user@example.com:80/a%20b?k=1&k=2&z').getHost()", "\"example.com:80\""),
        ("url('https://example.com:80/a').getPort() + url('https://[::1]:80/').getHostname()", "\"80::1\""),
        ("url('https://example.com/a%20b?k=1&k=2&z').getEscapedPath()", "\"/a%20b\""),
        ("url('https://example.com/a b').getEscapedPath()", "\"/a%20b\""),
        ("url('/é#x').getEscapedPath()", "\"/%C3%A9%23x\""),
        ("url('/(a)+[b]').getEscapedPath()", "\"/(a)+[b]\""),
        ("url('https://example.com/?k=1&k=a+b&z').getQuery()", "{\"k\": [\"1\", \"a b\"], \"z\": [\"\"]}"),
        ("url('/path').getScheme()", "\"\""),
        ("isURL('../relative') || isURL('') || isURL('https://a b/')", "false"),
        ("isURL('https://a:x/')", "false"),
        ("ip('127.0.0.1').family()", "4"),
        ("ip('::1').family()", "6"),
        ("isIP('127.0.0.01') || isIP('::ffff:1.2.3.4') || isIP('fe80::1%eth0')", "false"),
        ("ip.isCanonical('2001:DB8::1')", "false"),
        ("ip('127.0.0.1').isLoopback() && ip('::').isUnspecified() && ip('224.0.0.1').isLinkLocalMulticast()", "true"),
        ("ip('169.254.1.1').isLinkLocalUnicast() && ip('192.168.0.1').isGlobalUnicast()", "true"),
        ("string(ip('2001:db8::0:1'))", "\"2001:db8::1\""),
        ("ip('1.2.3.4') == ip('1.2.3.4')", "true"),
        (
            "cidr('192.168.0.0/24').containsIP('192.168.0.1') && cidr('192.168.0.0/24').containsIP(ip('192.168.0.9'))",
            "true",
        ),
        ("cidr('192.168.0.0/16').containsCIDR('192.168.10.0/24')", "true"),
        ("cidr('192.168.0.0/24').containsCIDR('192.168.0.0/16')", "false"),
        (
            "string(cidr('192.168.1.7/24').masked()) + string(cidr('192.168.1.7/24').ip())",
            "\"192.168.1.0/24192.168.1.7\"",
        ),
        ("cidr('::/0').prefixLength()", "0"),
        ("isCIDR('1.2.3.4/33') || isCIDR('1.2.3.4')", "false"),
    ]);
}

#[test]
fn quantities_and_versions() {
    check(&[
        ("quantity('1.3Gi').isGreaterThan(quantity('1Gi'))", "true"),
        ("quantity('200M').compareTo(quantity('0.2G'))", "0"),
        ("sign(quantity('-1'))", "-1"),
        ("quantity('1').sign()", "refused: undeclared reference to 'sign' (in container '')"),
        ("quantity('50k').asInteger()", "50000"),
        ("quantity('9999999999999999999999999G').asInteger()", "error: cannot convert value to integer"),
        ("quantity('50.703').isInteger()", "false"),
        ("quantity('50.703k').asApproximateFloat()", "50703.0"),
        ("quantity('50k').add(20) == quantity('50020')", "true"),
        ("quantity('50k').sub(quantity('20k')) == quantity('30k')", "true"),
        ("quantity(object.i)", "error: no such overload: quantity(int)"),
        ("isQuantity('1.3Gi') && !isQuantity('200K')", "true"),
        ("semver('1.2.3').isLessThan(semver('1.10.0'))", "true"),
        ("semver('1.2.3-rc.1').compareTo(semver('1.2.3'))", "-1"),
        ("isSemver('v1.2') || !isSemver('v1.2', true)", "false"),
        ("semver('v01.2', true).minor()", "2"),
        ("semver('1.0.0').major() + semver('1.0.7').patch()", "8"),
    ]);
}

#[test]
fn named_formats() {
    check(&[
        ("format.dns1123Label().validate('my-label')", "optional.none()"),
        ("format.named('nope')", "optional.none()"),
        ("format.named('uuid').hasValue()", "true"),
        ("format.date().validate('2021-01-01').hasValue()", "false"),
        ("format.date().validate('2021-13-01').value()", "[\"invalid date\"]"),
        ("format.dns1123Label().validate('A').value().size()", "1"),
        ("format.qualifiedName().validate('example.com/name').hasValue()", "false"),
        ("format.labelValue().validate('').hasValue()", "false"),
    ]);
}

#[test]
fn images() {
    let digest = "0123456789abcdef".repeat(4);
    assert_eq!(eval("image('nginx').registry()"), "\"index.docker.io\"");
    check(&[
        ("image('nginx').repository() + ' ' + image('nginx').identifier()", "\"library/nginx latest\""),
        ("image('ghcr.io/a/b:v1').registry()", "\"ghcr.io\""),
        ("image('localhost:5000/ab:v1').tag()", "\"v1\""),
        ("image('nginx:1') == image('docker.io/library/nginx:1')", "false"),
        ("image('nginx:1') == image('nginx:1')", "true"),
        ("isImage('Nginx') || isImage('nginx:') || isImage('')", "false"),
        ("parseImageReference('ghcr.io/a/b').containsDigest()", "false"),
        ("image(object.s + ':')", "error: could not parse reference: text:"),
    ]);
    let source = format!("image('ghcr.io/a/b:v1@sha256:{digest}')");
    assert_eq!(eval(&format!("{source}.tag()")), "\"\"");
    assert_eq!(eval(&format!("{source}.identifier() == {source}.digest()")), "true");
}

#[test]
fn encodings() {
    check(&[
        ("base64.encode(b'hello')", "\"aGVsbG8=\""),
        ("string(base64.decode('aGVsbG8='))", "\"hello\""),
        ("string(base64.decode('aGVsbG8'))", "\"hello\""),
        ("base64.decode('!')", "error: illegal base64 data at input byte 0"),
        ("json.unmarshal('{\"a\": [1]}').a[0]", "1.0"),
        ("json.unmarshal('{\"a\": 1}').a + 1", "error: no such overload"),
        ("json.unmarshal('{')", "error: unexpected end of JSON input"),
        ("json.marshal({'b': 1, 'a': 2})", "\"{\\\"a\\\":2,\\\"b\\\":1}\""),
        ("yaml.parse('a: [1, x]').a", "[1.0, \"x\"]"),
        ("md5('a')", "\"0cc175b9c0f1b6a831c399e269772661\""),
        ("sha1('a') == hash.sha1('a') && hash.sha256('a').startsWith('ca978112')", "true"),
        ("gzip.decompress(gzip.compress('hello'))", "\"hello\""),
        ("gzip.decompress(b'x') == ''", "error: unexpected EOF"),
        ("x509.decode('x')", "error: failed to decode PEM block"),
    ]);
}

#[test]
fn small_libraries_of_kyverno() {
    check(&[
        ("parseServiceAccount('system:serviceaccount:ns:sa').Name", "\"sa\""),
        ("user.parseServiceAccount('alice')", "{\"Name\": \"\", \"Namespace\": \"\"}"),
        ("listObjToMap(object.objs, object.objs, 'g', 'n')", "{\"x\": 1, \"y\": 2}"),
        ("transform.listObjToMap(object.objs, [], 'g', 'n')", "error: lists should have same length"),
        ("jsonpatch.escapeKey('a/b~c')", "\"a~1b~0c\""),
    ]);
}
