//! Tests of the language as a whole: grammar, checker, operators, macros, limits.

use super::*;
use crate::expr::{self, Arena};

/// 2024-03-05T06:07:08Z.
pub(super) const NOW: i128 = 1_709_618_828_000_000_000;

fn input() -> serde_json::Value {
    serde_json::json!({
        "i": 5, "d": 1.5, "n": null, "t": true, "s": "text", "e": "", "m": {"k1": "v1", "k2": 2}, "q-r": {"x.y": 1},
        "l": [0, 1, 2, 3], "els": [], "em": {}, "objs": [{"n": 1, "g": "x"}, {"n": 2, "g": "y"}],
    })
}

/// The result as text, or the error.
pub(super) fn eval(source: &str) -> String {
    eval_in(source, &Environment::playground())
}

pub(super) fn eval_in(source: &str, environment: &Environment) -> String {
    let arena = Arena::new();
    let json = input();
    let object = expr::Value::from_json(&arena, &json, crate::document::Integers::Exact);
    let program = match Program::compile(source, environment, Expected::Any) {
        Ok(program) => program,
        Err(error) => return format!("refused: {error}"),
    };
    let mut scope = Scope::new(&arena, &Nowhere, &[], NOW);
    scope.set(Root::Object, Value::from_expr(&arena, object));
    match program.evaluate(&scope) {
        Ok(value) => literal(value),
        Err(error) => format!("error: {error}"),
    }
}

/// Checks rows of expression and result.
#[track_caller]
pub(super) fn check(rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|(expression, expected)| (expression, expected, eval(expression)))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(expression, expected, found)| format!("{expression}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn operators_have_their_strengths() {
    check(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 2 - 3", "5"),
        ("true || false && false", "true"),
        ("1 < 2 == true", "true"),
        ("!true || true", "true"),
        ("-2 * 3", "-6"),
        ("true ? 1 : false ? 2 : 3", "1"),
        ("1 in [1, 2] && !(3 in [1, 2])", "true"),
    ]);
}

#[test]
fn fields_and_indices() {
    check(&[
        ("object.m.k1", "\"v1\""),
        ("object['m']['k2'] + 1", "3"),
        ("object.zz", "error: no such key: zz"),
        ("object.s.zz", "error: no such key: zz"),
        ("object.l[5]", "error: index out of bounds: 5"),
        ("object.l[-1]", "error: index out of bounds: -1"),
        ("object.l['a']", "error: unsupported index type 'string' in list"),
        ("object.`q-r`.`x.y`", "1"),
        ("has(object.m.k1)", "true"),
        ("has(object.m.zz)", "false"),
        ("has(object.zz.k1)", "error: no such key: zz"),
        ("has(object.n)", "true"),
        ("object.?zz.k1.orValue(7)", "7"),
        ("object.l[?9].orValue(7)", "7"),
        ("object.?m.k2", "optional.of(2)"),
        ("object[?'zz']", "optional.none()"),
    ]);
}

// Sources of the rows below, where none is named: the language definition of CEL
// (https://github.com/google/cel-spec/blob/master/doc/langdef.md) and CEL in Kubernetes
// (https://kubernetes.io/docs/reference/using-api/cel/).

#[test]
fn literals() {
    check(&[
        ("0x1F", "31"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "refused: Syntax error: invalid int literal"),
        ("18446744073709551615u", "18446744073709551615u"),
        ("1e3", "1000.0"),
        (".5 + 1.", "refused: Syntax error: mismatched input '<EOF>' expecting IDENTIFIER"),
        ("'a\\n\\u00e9\\x41\\101'", "\"a\\néAA\""),
        ("r'a\\n'", "\"a\\\\n\""),
        ("'''a\n'b'''", "\"a\\n'b\""),
        ("\"\"\"x\"\"\"", "\"x\""),
        ("b'\\xff\\x41'", "b\"\\xffA\""),
        ("b'é'", "b\"\\xc3\\xa9\""),
        ("'a", "refused: Syntax error: unterminated string"),
        ("'\\q'", "refused: Syntax error: invalid escape sequence"),
        ("[1, 2,]", "[1, 2]"),
        ("{'a': 1,}", "{\"a\": 1}"),
        ("1 // a comment\n + 1", "2"),
        ("null", "null"),
        ("[?optional.none(), ?optional.of(1)]", "[1]"),
        ("{?'a': optional.none(), ?'b': optional.of(1)}", "{\"b\": 1}"),
        ("{'a': 1, 'a': 2}", "error: Failed with repeated key: a"),
    ]);
}

#[test]
fn syntax_errors_say_where() {
    let rows: &[(&str, usize, &str)] = &[
        ("1 +", 3, "Syntax error: mismatched input '<EOF>' expecting an expression"),
        ("a b", 2, "Syntax error: mismatched input 'b' expecting <EOF>"),
        ("(1", 2, "Syntax error: mismatched input '<EOF>' expecting ')'"),
        ("1 = 1", 2, "Syntax error: token recognition error at: '='"),
        ("object.package + while", 17, "Syntax error: reserved identifier: while"),
        ("object.a + zz", 11, "undeclared reference to 'zz' (in container '')"),
        ("object.a.zz()", 9, "undeclared reference to 'zz' (in container '')"),
        ("variables.zz", 10, "undefined field 'zz'"),
        ("request.uid", 8, "undefined field 'uid'"),
        ("has(object['a'])", 0, "invalid argument to has() macro"),
    ];
    for (source, at, text) in rows {
        let error = Program::compile(source, &Environment::playground(), Expected::Any).expect_err(source);
        assert_eq!((error.offset(), error.to_string().as_str()), (*at, *text), "{source}");
    }
    let error = Program::compile("true &&\n zz", &Environment::playground(), Expected::Any).expect_err("an error");
    assert_eq!(
        error.printed("true &&\n zz"),
        "ERROR: <input>:2:2: undeclared reference to 'zz' (in container '')\n |  zz\n | .^"
    );
}

#[test]
fn types_are_checked_beforehand() {
    check(&[
        ("1 == 1.0", "refused: found no matching overload for '_==_' applied to '(int, double)'"),
        ("object.i == 5.0 && 5.0 == object.i", "true"),
        ("object.l.size() == 4.0", "refused: found no matching overload for '_==_' applied to '(int, double)'"),
        ("1 in [1.0]", "refused: found no matching overload for '@in' applied to '(int, list(double))'"),
        (
            "{'a': 1} == {'a': 1.0}",
            "refused: found no matching overload for '_==_' applied to '(map(string, int), map(string, double))'",
        ),
        ("1 < 2.5 && 2u >= 2", "true"),
        ("1 + 'a'", "refused: found no matching overload for '_+_' applied to '(int, string)'"),
        ("'a' + string(1)", "\"a1\""),
        ("[1, 'a']", "refused: expected type 'int' but found 'string'"),
        ("[dyn(1), 'a']", "refused: expected type 'dyn' but found 'string'"),
        ("[dyn(1), dyn('a')]", "[1, \"a\"]"),
        ("{'a': 1, 'b': 'x'}", "refused: expected type 'int' but found 'string'"),
        ("true ? 1 : 'a'", "refused: found no matching overload for '_?_:_' applied to '(bool, int, string)'"),
        ("1 ? 1 : 2", "refused: found no matching overload for '_?_:_' applied to '(int, int, int)'"),
        ("!1", "refused: found no matching overload for '!_' applied to '(int)'"),
        ("'a'.foo", "refused: type 'string' does not support field selection"),
        ("'a'.charAt('b')", "refused: found no matching overload for 'charAt' applied to 'string.(string)'"),
        ("size(1)", "refused: found no matching overload for 'size' applied to '(int)'"),
        (
            "'a'.all(x, true)",
            "refused: expression of type 'string' cannot be range of a comprehension (must be list, map, or dynamic)",
        ),
        ("[1].all(x, 1)", "refused: expected type 'bool' but found 'int'"),
        ("null == 'a'", "refused: found no matching overload for '_==_' applied to '(null, string)'"),
        (
            "resource.get('v1', 'pods', 'a', 'b') == null",
            "refused: found no matching overload for '_==_' applied to '(map(string, dyn), null)'",
        ),
        ("object.n == null", "true"),
        ("[] == [1]", "false"),
        ("string(null)", "refused: no such overload: string(null_type)"),
        ("[1].existsOne(x, x == 1)", "refused: undeclared reference to 'x' (in container '')"),
    ]);
}

#[test]
fn constants_are_tried_beforehand() {
    check(&[
        ("int('abc')", "refused: strconv.ParseInt: parsing \"abc\": invalid syntax"),
        ("duration('1d')", "refused: time: unknown unit \"d\" in duration \"1d\""),
        ("object.t || 'a'.matches('(')", "refused: error parsing regexp: missing closing ): `(`"),
        (
            "timestamp('2024-01-02')",
            "refused: parsing time \"2024-01-02\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"T\"",
        ),
        (
            "'%d'.format([1.5])",
            "refused: error during formatting: decimal clause can only be used on integers, was given double",
        ),
        ("int(object.s)", "error: strconv.ParseInt: parsing \"text\": invalid syntax"),
        ("1 / 0", "error: division by zero"),
    ]);
}

#[test]
fn arithmetic() {
    check(&[
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("7 % 0", "error: modulus by zero"),
        ("9223372036854775807 + 1", "error: integer overflow"),
        ("0u - 1u", "error: unsigned integer overflow"),
        ("-(-9223372036854775807 - 1)", "error: integer overflow"),
        ("1.0 / 0.0", "+Inf"),
        ("object.i + 1.5", "error: no such overload"),
        ("object.d + 1.5", "3.0"),
        ("object.d + 1", "error: no such overload"),
        ("object.i % 2", "1"),
        ("object.d % 2", "error: no such overload"),
        ("'a' + 'b'", "\"ab\""),
        ("[1] + [2]", "[1, 2]"),
        ("b'a' + b'b'", "b\"ab\""),
        ("object.s > 1", "error: no such overload"),
        ("object.s == 1", "false"),
        ("object.m == {'k2': 2, 'k1': 'v1'}", "refused: expected type 'int' but found 'string'"),
        ("object.m == {'k2': dyn(2), 'k1': dyn('v1')}", "true"),
        ("dyn(1) == 1u && dyn(1u) == 1.0 && dyn(1) == 1.0", "true"),
        ("dyn(9007199254740993) == 9007199254740992.0", "false"),
        ("[dyn(1)] == [dyn(1.0)]", "true"),
        ("object.i in [1.0, 5.0]", "true"),
        ("'k1' in object.m", "true"),
        ("'x' in object.s", "error: no such overload"),
        ("false < true && b'a' < b'b' && 'B' < 'a'", "true"),
        ("type(1) == int && type(object.d) == double && type(null) == null_type", "true"),
        ("type(type(1)) == type && type([]) == list && type({}) == map", "true"),
    ]);
}

#[test]
fn logic_makes_up_for_errors() {
    check(&[
        ("object.zz || true", "true"),
        ("true || object.zz", "true"),
        ("object.zz && false", "false"),
        ("object.zz && true", "error: no such key: zz"),
        ("object.zz || false", "error: no such key: zz"),
        ("object.s && true", "error: no such overload"),
        ("object.s ? 1 : 2", "error: no such overload"),
        ("true ? 1 : object.zz", "1"),
        ("[1, 2].exists(x, object.zz == 1 || x == 2)", "true"),
        ("[1, 2].all(x, x == 2 && object.zz == 1)", "false"),
        ("object.l.all(x, x.zz == 1)", "error: no such key: zz"),
        ("[].all(x, object.zz)", "true"),
        ("[].exists(x, object.zz)", "false"),
        ("object.zz && random() == ''", "error: a random text like \"[0-9a-z]{8}\" is not known"),
        ("[1].all(x, random() == 'a' && object.s in ['a', 'b'])", "false"),
    ]);
}

#[test]
fn macros() {
    check(&[
        ("[1, 2, 3].map(x, x * 2)", "[2, 4, 6]"),
        ("[1, 2, 3].map(x, x > 1, x * 2)", "[4, 6]"),
        ("[1, 2, 3].filter(x, x > 1)", "[2, 3]"),
        ("[1, 2, 3].exists_one(x, x > 2)", "true"),
        ("[1, 2, 3].exists_one(x, x > 1)", "false"),
        ("{'a': 1}.all(k, k == 'a')", "true"),
        ("object.m.map(k, k)", "[\"k1\", \"k2\"]"),
        ("object.s.map(k, k)", "error: no such overload"),
        ("[[1], [2]].map(x, x.map(y, y + x[0]))", "[[2], [4]]"),
        ("[1, 2].all(i, v, i < v)", "true"),
        ("{'a': 1}.exists(k, v, k == 'a' && v == 1)", "true"),
        ("[1, 2].existsOne(i, v, v == 2)", "true"),
        ("[1, 2].transformList(i, v, i * v)", "[0, 2]"),
        ("[1, 2].transformList(i, v, v > 1, v)", "[2]"),
        ("{'a': 1}.transformMap(k, v, v + 1)", "{\"a\": 2}"),
        ("['x'].transformMap(i, v, v)", "{0: \"x\"}"),
        ("{'a': 'b'}.transformMapEntry(k, v, {v: k})", "{\"b\": \"a\"}"),
        ("cel.bind(x, 2, x * x)", "4"),
        ("object.objs.sortBy(o, o.g + 'z').map(o, o.n)", "[1, 2]"),
        ("[3, 1, 2].sortBy(x, -x)", "[3, 2, 1]"),
        ("optional.of(2).optMap(x, x + 1)", "optional.of(3)"),
        ("object.?zz.optMap(x, x + 1)", "optional.none()"),
        ("object.?i.optFlatMap(x, optional.of(x))", "optional.of(5)"),
        ("[1].map(object.x, 1)", "refused: argument must be a simple name"),
        ("[1].map(object, object)", "[1]"),
    ]);
}

#[test]
fn optional_values() {
    check(&[
        ("object.?zz.hasValue()", "false"),
        ("object.?n.hasValue()", "true"),
        ("object.?n.orValue(7)", "null"),
        ("object.?zz.value()", "error: optional.none() dereference"),
        ("object.i.orValue(7)", "5"),
        ("object.zz.orValue(7)", "error: no such key: zz"),
        ("'a'.orValue('b')", "\"a\""),
        ("optional.ofNonZeroValue('')", "optional.none()"),
        ("object.?zz.or(object.?i).value()", "5"),
        ("has(object.?m.k1)", "true"),
        ("object.?m.k1.orValue('') == 'v1'", "true"),
        ("object.?l[0].orValue(9)", "0"),
        ("object.?s.k1.orValue('none')", "\"none\""),
        ("{'a': {'b': 1}}.?a.?b", "optional.of(1)"),
    ]);
}

#[test]
fn objects_are_maps_with_names() {
    check(&[
        (
            "Object{metadata: Object.metadata{labels: Object.metadata.labels{a: 'x'}}}",
            "{\"metadata\": {\"labels\": {\"a\": \"x\"}}}",
        ),
        ("Object{?spec: optional.none()}", "{}"),
        ("[JSONPatch{op: 'add', path: '/a', value: 1}]", "[{\"op\": \"add\", \"path\": \"/a\", \"value\": 1}]"),
        ("JSONPatch{op: 1}", "refused: expected type of field 'op' is 'string' but provided type is 'int'"),
        ("JSONPatch{zz: 1}", "refused: undefined field 'zz'"),
        ("Other{a: 1}", "refused: undeclared reference to 'Other' (in container '')"),
        (
            "Object{spec: Object.metadata{}}",
            "error: type mismatch: unexpected type name \"Object.metadata\", expected \"Object.spec\", which matches field name \
             path from root Object type",
        ),
    ]);
}

#[test]
fn families_differ() {
    let refused =
        |family: Family, source: &str| Program::compile(source, &Environment::new(family), Expected::Any).is_err();
    let compiles = |family: Family, source: &str| !refused(family, source);
    assert!(compiles(Family::ValidatingPolicy, "hash.sha1('a')"));
    assert!(refused(Family::ValidatingAdmissionPolicy, "hash.sha1('a')"));
    assert!(refused(Family::ClusterPolicy, "base64.encode(b'a') == cel.bind(x, 'a', x)"));
    assert!(compiles(Family::ClusterPolicy, "authorizer.path('/healthz').check('get').allowed()"));
    assert!(compiles(Family::ClusterPolicy, "authorizer.requestResource.check('get').allowed()"));
    assert!(refused(Family::ValidatingAdmissionPolicy, "authorizer.path('/healthz').check('get').allowed()"));
    assert!(refused(Family::GeneratingPolicy, "[1].all(i, v, true)"));
    assert!(compiles(Family::GeneratingPolicy, "[1, 'a']"));
    assert!(compiles(Family::GeneratingPolicy, "generator.apply('ns', [object])"));
    assert!(refused(Family::ImageValidatingPolicy, "'a'.orValue('b')"));
    assert!(compiles(
        Family::ImageValidatingPolicy,
        "images.containers.map(i, verifyImageSignatures(i, [attestors.a])) == [1]"
    ));
    assert!(refused(Family::ValidatingPolicy, "params.x == 1"));
    assert!(refused(Family::ValidatingAdmissionPolicy, "request.object.x == 1"));
    assert!(compiles(Family::ValidatingPolicy, "request.object.x == 1"));
    assert!(compiles(Family::MutatingPolicy, "jsonpatch.escapeKey('a/b') == ''"));

    let namespaced = Environment::new(Family::ValidatingPolicy).namespaced();
    assert!(Program::compile("resource.get('v1', 'pods', 'a')", &namespaced, Expected::Any).is_ok());
    assert!(Program::compile("resource.get('v1', 'pods', 'ns', 'a')", &namespaced, Expected::Any).is_err());
    let bare = Environment::new(Family::ValidatingPolicy).without_variables();
    assert!(Program::compile("variables.x", &bare, Expected::Any).is_err());
}

#[test]
fn results_are_of_the_type_that_is_asked_for() {
    let compile = |source: &str, expected| {
        Program::compile(source, &Environment::playground(), expected).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(compile("object.t", Expected::Bool), Err("output is expected to be of type bool".to_owned()));
    assert_eq!(compile("object.t == true", Expected::Bool), Ok(()));
    assert_eq!(compile("object.s", Expected::String), Err("output is expected to be of type string".to_owned()));
    assert_eq!(compile("[]", Expected::JsonPatches), Err("output is expected to be of type list".to_owned()));
    assert_eq!(compile("[JSONPatch{op: 'add'}]", Expected::JsonPatches), Ok(()));
    assert_eq!(compile("true ? null : null", Expected::StringOrNull), Ok(()));
}

#[test]
fn variables_are_evaluated_once_and_keep_their_errors() {
    let mut environment = Environment::playground();
    let mut programs = Vec::new();
    for (name, source) in [("a", "object.i + 1"), ("b", "variables.a * 2"), ("c", "object.zz")] {
        let program = Program::compile(source, &environment, Expected::Any).expect(source);
        environment.declare_variable(name, program.result_type().clone());
        programs.push(program);
    }
    let arena = Arena::new();
    let json = input();
    let main = Program::compile("variables.b == 12 && has(variables.c)", &environment, Expected::Bool).expect("valid");
    let failing = Program::compile("variables.c == 1", &environment, Expected::Bool).expect("valid");
    let mut scope = Scope::new(&arena, &Nowhere, &programs, NOW);
    scope.set(
        Root::Object,
        Value::from_expr(&arena, expr::Value::from_json(&arena, &json, crate::document::Integers::Exact)),
    );
    assert_eq!(main.evaluate(&scope).map(Value::as_bool), Ok(Some(true)));
    assert_eq!(failing.evaluate(&scope).map(|_| ()), Err(EvalError::NoSuchKey("zz".into())));
    assert!(Program::compile("variables.a + 'x'", &environment, Expected::Any).is_err(), "the type is known");

    // Kubernetes names the variable.
    let mut environment = Environment::new(Family::ClusterPolicy);
    let mut programs = Vec::new();
    for (name, source) in [("a", "object.zz"), ("b", "variables.a")] {
        programs.push(Program::compile(source, &environment, Expected::Any).expect(source));
        environment.declare_variable(name, Type::Dyn);
    }
    let failing = Program::compile("variables.b == 1", &environment, Expected::Bool).expect("valid");
    let mut scope = Scope::new(&arena, &Nowhere, &programs, NOW);
    scope.set(Root::Object, Value::Map(Map::Entries(&[])));
    assert_eq!(
        failing.evaluate(&scope).map_err(|error| error.to_string()).map(|_| ()),
        Err(
            "composited variable \"b\" fails to evaluate: composited variable \"a\" fails to evaluate: no such key: zz"
                .to_owned()
        )
    );
}

#[test]
fn integers_are_as_the_document_has_them() {
    let arena = Arena::new();
    let parsed = crate::document::parse(
        &crate::span::File::new("a.yaml", b"replicas: 3".to_vec()),
        &crate::document::Limits::default(),
    );
    let mut document = parsed.documents.into_iter().next().expect("a document");
    for (integers, expected) in [(crate::document::Integers::Exact, true), (crate::document::Integers::Floats, false)] {
        document.set_integers(integers);
        let document = document.duplicate();
        let mut scope = Scope::new(&arena, &Nowhere, &[], NOW);
        scope.set(Root::Object, Value::from(document.root()));
        let both = Program::compile(
            "object.replicas == 3 && string(object.replicas) == '3'",
            &Environment::playground(),
            Expected::Bool,
        )
        .expect("valid");
        assert_eq!(both.evaluate(&scope).map(Value::as_bool), Ok(Some(true)));
        let whole =
            Program::compile("object.replicas + 1 == 4", &Environment::playground(), Expected::Bool).expect("valid");
        assert_eq!(whole.evaluate(&scope).is_ok(), expected, "{integers:?}");
    }
}

#[test]
fn what_is_not_set_or_not_known_is_no_value() {
    check(&[
        ("oldObject.a", "error: no such attribute(s): oldObject"),
        ("resource.get('v1', 'configmaps', 'ns', 'a')", "error: configmaps `a` in namespace `ns` is not known"),
        ("http.get('https://a.example')", "error: the answer to GET https://a.example is not known"),
        ("globalContext.get('a') == null || true", "true"),
        ("random()", "error: a random text like \"[0-9a-z]{8}\" is not known"),
        (
            "authorizer.path('/a').check('get').allowed()",
            "refused: undeclared reference to 'authorizer' (in container '')",
        ),
    ]);
}

#[test]
fn nothing_runs_on() {
    let thousand = "lists.range(1000)";
    let source = format!("{thousand}.all(a, {thousand}.all(b, {thousand}.all(c, true)))");
    assert_eq!(eval(&source), "error: operation cancelled: actual cost limit exceeded");
    assert_eq!(eval("lists.range(1000000000)"), "error: operation cancelled: actual cost limit exceeded");
    let doubling = format!("{}'x'{}", "cel.bind(x, ".repeat(60), ", x + x)".repeat(60));
    assert_eq!(eval(&doubling), "error: operation cancelled: actual cost limit exceeded");
    // Each list holds the one before ten times: a few words, and more parts than anybody can look at.
    for look in
        ["json.marshal(x)", "'%s'.format([x])", "[x, x].distinct()", "sets.contains([x], [x])", "[x].indexOf(x)"]
    {
        let tenfold = |body: String, _| format!("cel.bind(x, [x, x, x, x, x, x, x, x, x, x], {body})");
        let source = format!("cel.bind(x, [1], {})", (0..9).fold(look.to_owned(), tenfold));
        assert_eq!(eval(&source), "error: operation cancelled: actual cost limit exceeded", "{look}");
    }
    let patterns = "lists.range(20000).all(i, 'x'.matches('(\\\\pL{900}' + string(i) + ')?x'))";
    assert_eq!(eval(patterns), "error: operation cancelled: actual cost limit exceeded");
    let deep = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(eval(&deep), "refused: expression recursion limit exceeded: 200");
    let long = vec!["1"; 10_000].join(" + ");
    assert_eq!(eval(&long), "refused: expression recursion limit exceeded: 200");
    let wide = vec!["true"; 10_000].join(" && ");
    assert_eq!(eval(&wide), "true");
    let nested = format!("{}1{}", "[".repeat(190), "]".repeat(190));
    assert!(eval(&nested).starts_with("[["));
    let fields = format!("object{}", ".?a".repeat(190));
    assert_eq!(eval(&fields), "optional.none()");
}

#[test]
fn evidence_is_what_the_deciding_comparison_read() {
    let text = "spec:\n  replicas: 1\n  containers:\n  - name: a\n    image: x:1\n  - name: b\n    image: x:latest\n";
    let parsed = crate::document::parse(
        &crate::span::File::new("a.yaml", text.as_bytes().to_vec()),
        &crate::document::Limits::default(),
    );
    let document = parsed.documents.first().expect("a document");
    let arena = Arena::new();
    let rows: &[(&str, &str, &str)] = &[
        ("object.spec.replicas > 0 && object.spec.replicas > 1", "> 1", "1"),
        ("object.spec.containers.all(c, !c.image.endsWith(':latest'))", "endsWith", "x:latest"),
        ("object.spec.containers.all(c, has(c.tag) || c.name == 'a')", "==", "b"),
        (
            "object.spec.containers.exists(c, c.name == 'z')",
            "exists",
            "- name: a\n    image: x:1\n  - name: b\n    image: x:latest",
        ),
        ("!object.spec.containers.exists(c, c.name == 'b')", "==", "b"),
        ("object.?spec.containers[1].image.orValue('') == 'x'", "==", "x:latest"),
        (
            "has(object.spec.host)",
            "host",
            "replicas: 1\n  containers:\n  - name: a\n    image: x:1\n  - name: b\n    image: x:latest",
        ),
        ("cel.bind(s, object.spec, s.replicas == 2)", "==", "1"),
        ("object.spec.replicas == 1 ? object.spec.containers[0].name == 'c' : true", "==", "a"),
        ("'x' == 'y'", "==", ""),
        ("true && variables.fine", "fine", "x:latest"),
        ("variables.first == 'y'", "==", "x:1"),
    ];
    let mut environment = Environment::playground();
    let mut variables = Vec::new();
    for (name, source) in [
        ("fine", "object.spec.containers.all(c, !c.image.endsWith(':latest'))"),
        ("first", "object.spec.containers[0].image"),
    ] {
        variables.push(Program::compile(source, &environment, Expected::Any).expect(source));
        environment.declare_variable(name, variables[variables.len() - 1].result_type().clone());
    }
    for (source, part, read) in rows {
        let program = Program::compile(source, &environment, Expected::Bool).expect(source);
        let mut scope = Scope::new(&arena, &Nowhere, &variables, NOW);
        scope.set(Root::Object, Value::from(document.root()));
        assert_eq!(program.evaluate(&scope).map(Value::as_bool), Ok(Some(false)), "{source}");
        let evidence = program.evidence(&scope).expect(source);
        let found = evidence.node.map_or("", |node| document.file().slice(node.span()));
        assert!(source[evidence.at..].starts_with(part), "{source}: {}", &source[evidence.at..]);
        assert_eq!(found.trim_end(), *read, "{source}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(source in "[a-z0-9 .?:,(){}\\[\\]'\"!&|=<>+*/%-]{0,60}") {
        let _ = eval(&source);
    }

    #[test]
    fn no_combination_of_parts_panics(parts in proptest::collection::vec(0..PARTS.len(), 0..24)) {
        let source: String = parts.into_iter().map(|it| PARTS[it]).collect();
        let _ = eval(&source);
    }

    #[test]
    fn integers_compute_exactly_or_not_at_all(a: i64, b: i64) {
        let found = eval(&format!("dyn({a}) + dyn({b})"));
        let exact = a.checked_add(b).map_or("error: integer overflow".to_owned(), |sum| sum.to_string());
        proptest::prop_assert_eq!(found, exact);
    }

    #[test]
    fn texts_survive_their_literals(text: String) {
        let quoted = eval(&format!("strings.quote({})", serde_json::to_string(&text).expect("JSON").replace("\\/", "/")));
        proptest::prop_assert!(!quoted.starts_with("error"), "{}", quoted);
    }
}

const PARTS: &[&str] = &[
    "object",
    ".l",
    ".m",
    ".?zz",
    "[0]",
    "[?",
    "]",
    "(",
    ")",
    ".all(x, ",
    ".map(x, ",
    "x",
    " + ",
    " == ",
    " in ",
    "1",
    "'a'",
    "null",
    ".size()",
    ".orValue(",
    "has(",
    ", ",
    " ? ",
    " : ",
    "!",
    "-",
    "{",
    "}",
    "optional.of(",
    ".format([",
    "'%s%d'",
    ".matches(",
    "duration('1h')",
    "timestamp(0)",
    "ip('::1')",
    "quantity('1Gi')",
    ".add(",
    ".sum()",
    ".sort()",
    " && ",
    " || ",
    "1u",
    "1.5",
];
