use super::*;

fn eval(expression: &str) -> Result<bool, String> {
    let mut scope = Scope::default();
    let list = Value::List(Arc::new((0..200).map(Value::Int).collect()));
    scope.set("list", list);
    scope.set("object", map([("a", map([("b", text("x"))].into_iter()))].into_iter()));
    scope.is_true(&compile(expression, &["list", "object"], Gives::Truth)?)
}

#[test]
fn expressions_are_evaluated() {
    for right in [
        "object.a.b == 'x'",
        "!has(object.a.c)",
        "object.a.b.matches('^[a-z]$') && 'x'.upperAscii() == 'X'",
        "quantity('1Gi').isGreaterThan(quantity('500Mi'))",
        "sets.contains(list, [3]) && list.all(x, x < 200) && list.exists(x, x == 7)",
        "object.?q.?r.orValue('n') == 'n' && object.?a.?b.orValue('n') == 'x' && type('') == string && type(1) == int",
        "'abc'.split('') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']",
        "'aXbX'.replace('X', 'y') == 'ayby' && 'aa'.replace('a', 'b', 1) == 'ba'",
    ] {
        assert_eq!(eval(right), Ok(true), "{right}");
    }
    assert_eq!(eval("object.a.c == 'x'"), Err("no such key: c".to_owned()));
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    for (wrong, words) in [
        ("object.a ==", "Syntax error"),
        ("false && objekt.a", "undeclared reference to 'objekt'"),
        ("true || nosuch(1)", "undeclared reference to 'nosuch'"),
        ("list.all(x, y)", "undeclared reference to 'y'"),
        ("", ""),
        ("object.a", "must evaluate to bool but got dyn"),
        ("Object{a: 1}", "Object"),
    ] {
        let error = eval(wrong).unwrap_err();
        assert!(error.contains(words), "{wrong}: {error}");
    }
    assert!(eval(&format!("true{}", " && true".repeat(5000))).unwrap_err().contains("bytes"));
}

#[test]
fn what_takes_too_long_ends() {
    let start = std::time::Instant::now();
    let nested = "list.all(a, list.all(b, list.all(c, list.all(d, a + b + c + d >= 0))))";
    assert_eq!(eval(nested), Err(TOO_COSTLY.to_owned()));
    assert_eq!(eval(&nested.replace("all", "exists").replace(">= 0", "< 0")), Err(TOO_COSTLY.to_owned()));
    assert_eq!(eval(&format!("{nested} || true")), Err(TOO_COSTLY.to_owned()));
    let long = format!("'aaaaaaaaaa'{} == ''", ".replace('a', 'aaaaaaaaaa')".repeat(20));
    assert_eq!(eval(&long), Err("the text becomes too long".to_owned()));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn a_field_is_read_out_of_an_expression() {
    assert_eq!(field_of("object.spec.replicas <= params.max", "object").as_deref(), Some("spec.replicas"));
    assert_eq!(field_of("object.metadata.name.startsWith('a')", "object").as_deref(), Some("metadata.name"));
    assert_eq!(field_of("myobject.x == 1", "object"), None);
    let each = "object.spec.template.spec.containers.all(c, c.image != '')";
    assert_eq!(field_of(each, "object").as_deref(), Some("spec.template.spec.containers"));
}

/// What cel-go says of each: `all` and `exists` go on after an error, and what decides absorbs it.
#[test]
fn what_decides_absorbs_errors() {
    let no_key = Err("no such key: c".to_owned());
    for (expression, answer) in [
        ("object.a.c == 'x' && false", Ok(false)),
        ("false && object.a.c == 'x'", Ok(false)),
        ("object.a.c == 'x' || true", Ok(true)),
        ("object.a.c == 'x' && true", no_key.clone()),
        ("object.a.c == 'x' || false", no_key.clone()),
        ("object.a.c == 'x' && object.a.d == 'x'", no_key.clone()),
        ("object.a.c == 'x' || object.a.d == 'x'", no_key.clone()),
        ("[1, 2].all(x, x == 1 ? object.a.c == 'x' : false)", Ok(false)),
        ("[1, 2].all(x, x == 1 ? object.a.c == 'x' : true)", no_key.clone()),
        ("[1, 2].exists(x, x == 1 ? object.a.c == 'x' : true)", Ok(true)),
        ("[1, 2].exists(x, x == 1 ? object.a.c == 'x' : false)", no_key.clone()),
        ("[1, 2].all(x, x == 1 ? object.a.c == 'x' : object.a.d == 'x')", no_key.clone()),
        ("[1].all(x, [1, 2].exists(y, y == 1 ? object.a.c == 'x' : true))", Ok(true)),
        ("[1, 2].all(x, [1, 2].all(y, object.a.c == 'x') || x == 1) || true", Ok(true)),
        ("[1, 2].exists_one(x, x == 1 ? object.a.c == 'x' : true)", no_key.clone()),
        ("[1, 2].filter(x, x == 1 ? object.a.c == 'x' : true).size() == 1", no_key),
    ] {
        assert_eq!(eval(expression), answer, "{expression}");
    }
}

#[test]
fn what_only_the_server_knows_is_an_error_of_its_own() {
    let eval = |expression: &str| {
        let mut scope = Scope::default();
        scope.set("request", map([("name", text("x"))].into_iter()));
        scope.is_true(&compile(expression, &["request", "authorizer"], Gives::Truth)?)
    };
    for (expression, what) in [
        ("request.userInfo.username == 'a'", "request.userInfo"),
        ("'a' in request['userInfo'].groups", "request.userInfo"),
        ("request.?userInfo.orValue({}) == {}", "request.userInfo"),
        ("has(request.userInfo.extra)", "request.userInfo"),
        ("authorizer.group('apps').resource('deployments').check('get').allowed()", "authorizer"),
        ("request.name == 'y' || request.userInfo.username == 'a'", "request.userInfo"),
    ] {
        let error = eval(expression).unwrap_err();
        assert_eq!(only_the_server(&error), Some(what), "{expression}: {error}");
    }
    assert_eq!(eval("request.name == 'x' || request.userInfo.username == 'a'"), Ok(true));
    assert_eq!(eval("has(request.userInfo)"), Ok(true));
}
