//! CEL expressions: compiled with their mistakes found, evaluated within a bound.
//!
//! An expression ends because CEL has no loops but those over lists and maps, but four nested ones over a long list take
//! years. So a call that counts is woven into every loop, and replacing text is bounded by the length of the result.

mod logic;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use kube_cel::cel::extractors::{Arguments, This};
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::parser::Parser;
use kube_cel::cel::{Context, ExecutionError, Value};

use crate::yaml::Value as Node;
use crate::yaml::View;

/// Rounds of loops that one object may cost in one rule.
const ROUNDS: u32 = 100_000;

/// Longest expression, and longest text that `replace` makes, in bytes.
const LONGEST_EXPRESSION: usize = 32 << 10;
const LONGEST_TEXT: usize = 4 << 20;

/// The call that counts, which is woven in.
const COUNT: &str = "@count";
/// The call in the place of what only the server knows; its argument says what.
const UNKNOWN: &str = "@unknown";
/// The call in the place of a policy's variable.
const VARIABLE: &str = "@variable";
/// The same for `has(variables.name)`, which fails as its variable does.
const HAS_VARIABLE: &str = "@has_variable";

/// What only the server knows, at the start of the error of an expression that rests on it.
const ONLY_THE_SERVER: &str = "only the API server knows ";

/// What an expression that has used up its rounds says.
const TOO_COSTLY: &str = "it goes through more than 100000 rounds of loops for one object";

/// Functions that an expression may call beside operators; those of cel-go and of Kubernetes' libraries.
const FUNCTIONS: &str = " add asApproximateFloat asInteger base64.decode base64.encode bool bytes charAt cidr compareTo \
    contains containsCIDR containsIP distinct double duration dyn endsWith family find findAll first flatten format \
    format.byte format.date format.datetime format.dns1035Label format.dns1035LabelPrefix format.dns1123Label \
    format.dns1123LabelPrefix format.dns1123Subdomain format.dns1123SubdomainPrefix format.labelValue format.named \
    format.qualifiedName format.uri format.uuid getDate getDayOfMonth getDayOfWeek getDayOfYear getEscapedPath \
    getFullYear getHost getHostname getHours getMilliseconds getMinutes getMonth getPort getQuery getScheme getSeconds \
    hasValue indexOf int ip ip.isCanonical isCIDR isGlobalUnicast isGreaterThan isIP isInteger isLessThan \
    isLinkLocalMulticast isLinkLocalUnicast isLoopback isQuantity isSemver isSorted isURL isUnspecified join last \
    lastIndexOf lists.range lowerAscii major masked matches math.abs math.bitAnd math.bitNot math.bitOr \
    math.bitShiftLeft math.bitShiftRight math.bitXor math.ceil math.floor math.greatest math.isFinite math.isInf \
    math.isNaN math.least math.round math.sign math.sqrt math.trunc max min minor optional.none optional.of \
    optional.ofNonZeroValue orValue patch prefixLength quantity replace reverse semver sets.contains sets.equivalent \
    sets.intersects sign size slice sort split startsWith string strings.quote sub substring sum timestamp trim type \
    uint upperAscii url validate value ";

/// Functions of `authorizer`, whose answers only the server has.
const AUTHORIZER: &str = " allowed check error errored fieldSelector group labelSelector name namespace path reason \
    resource serviceAccount subresource ";

/// Words that name a library, so that they are no variable: `sets.contains(…)`.
const LIBRARIES: [&str; 7] = ["base64", "format", "lists", "math", "optional", "sets", "strings"];

/// Names of types, which CEL has as values.
const TYPES: [&str; 9] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];

/// An expression that compiles.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub text: String,
    ast: IdedExpr,
}

/// Compiles an expression over these variables.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn compile(text: &str, variables: &[&str], gives: Gives) -> Result<Compiled, String> {
    if text.len() > LONGEST_EXPRESSION {
        return Err(format!("it has {} bytes, the limit is {LONGEST_EXPRESSION}", text.len()));
    }
    // The parser gives up on some input by panicking.
    let parse = || Parser::default().enable_optional_syntax(true).parse(text);
    let parsed = std::panic::catch_unwind(parse).map_err(|_| "it cannot be parsed".to_owned())?;
    let mut ast = parsed.map_err(|errors| one_line(&errors.to_string()))?;
    let is_dynamic = match &ast.expr {
        Expr::Select(select) => !select.test,
        Expr::Ident(_) => true,
        _ => false,
    };
    let wanted = match gives {
        Gives::Truth => "bool",
        Gives::Text => "string",
        Gives::Anything => "",
    };
    if is_dynamic && gives != Gives::Anything {
        return Err(format!("must evaluate to {wanted} but got dyn"));
    }
    weave(&mut ast, &mut variables.iter().map(|name| (*name).to_owned()).collect())?;
    logic::weave(&mut ast);
    Ok(Compiled { text: text.trim().to_owned(), ast })
}

/// What an expression has to give; the server refuses one that is a bare field, whose type it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    Truth,
    Text,
    Anything,
}

fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('|'));
    lines.collect::<Vec<_>>().join("; ").trim_start_matches("ERROR: <input>:").to_owned()
}

/// Checks names, and puts the counting call into each loop.
fn weave(expr: &mut IdedExpr, known: &mut Vec<String>) -> Result<(), String> {
    match &mut expr.expr {
        Expr::Unspecified => Err("it is incomplete".to_owned()),
        Expr::Struct(made) => Err(format!("it makes a {}, which no rule can", made.type_name)),
        Expr::Literal(_) => Ok(()),
        Expr::Ident(name) if name == "authorizer" && known.contains(name) => {
            expr.expr = call(UNKNOWN, "authorizer");
            Ok(())
        }
        Expr::Ident(name) if known.contains(name) || name.starts_with('@') || TYPES.contains(&name.as_str()) => Ok(()),
        Expr::Ident(name) => Err(format!("undeclared reference to '{name}'")),
        Expr::Select(select) => {
            let is_of = |variable: &str| matches!(&select.operand.expr, Expr::Ident(name) if name == variable);
            let field = select.field.clone();
            match () {
                () if is_of("request") && field == "userInfo" && select.test => {
                    expr.expr = Expr::Literal(LiteralValue::Boolean(true.into()));
                }
                () if is_of("request") && field == "userInfo" => expr.expr = call(UNKNOWN, "request.userInfo"),
                () if is_of("variables") && select.test => expr.expr = call(HAS_VARIABLE, &field),
                () if is_of("variables") => expr.expr = call(VARIABLE, &field),
                () => weave(&mut select.operand, known)?,
            }
            Ok(())
        }
        Expr::List(list) => list.elements.iter_mut().try_for_each(|item| weave(item, known)),
        Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
            EntryExpr::MapEntry(entry) => weave(&mut entry.key, known).and_then(|()| weave(&mut entry.value, known)),
            EntryExpr::StructField(field) => weave(&mut field.value, known),
        }),
        Expr::Call(index) if is_user(index) => {
            expr.expr = call(UNKNOWN, "request.userInfo");
            Ok(())
        }
        Expr::Call(asked) if known.iter().any(|name| name == "authorizer") && asks_authorizer(asked) => {
            asked.args.iter_mut().try_for_each(|argument| weave(argument, known))?;
            expr.expr = call(UNKNOWN, "authorizer");
            Ok(())
        }
        Expr::Call(call) => weave_call(call, known),
        Expr::Comprehension(each) => {
            weave(&mut each.iter_range, known)?;
            weave(&mut each.accu_init, known)?;
            let before = known.len();
            known.extend([each.iter_var.clone(), each.accu_var.clone()]);
            known.extend(each.iter_var2.clone());
            weave(&mut each.loop_cond, known)?;
            weave(&mut each.loop_step, known)?;
            weave(&mut each.result, known)?;
            known.truncate(before);
            let counted = |expr| IdedExpr { id: 0, expr };
            let count = CallExpr { func_name: COUNT.to_owned(), target: None, args: Vec::new() };
            let own = std::mem::take(&mut each.loop_cond);
            let both = vec![counted(Expr::Call(count)), own];
            let and = CallExpr { func_name: operators::LOGICAL_AND.to_owned(), target: None, args: both };
            each.loop_cond = counted(Expr::Call(and));
            Ok(())
        }
    }
}

/// Whether a call is one of a chain that begins with `authorizer`.
fn asks_authorizer(call: &CallExpr) -> bool {
    call.target.as_ref().is_some_and(|target| match &target.expr {
        Expr::Ident(name) => name == "authorizer",
        Expr::Call(call) => asks_authorizer(call),
        _ => false,
    })
}

/// Whether a call is `request['userInfo']` or `request.?userInfo`.
fn is_user(call: &CallExpr) -> bool {
    let is_index = [operators::INDEX, operators::OPT_INDEX, operators::OPT_SELECT].contains(&call.func_name.as_str());
    let [of, key] = &call.args[..] else { return false };
    let is_key = matches!(&key.expr, Expr::Literal(LiteralValue::String(key)) if key.inner() == "userInfo");
    is_index && is_key && matches!(&of.expr, Expr::Ident(name) if name == "request")
}

/// A call of one of the functions that only this module names, with a text.
fn call(name: &str, text: &str) -> Expr {
    let argument = IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::String(text.into())) };
    Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args: vec![argument] })
}

fn weave_call(call: &mut CallExpr, known: &mut Vec<String>) -> Result<(), String> {
    let library = call.target.as_ref().and_then(|target| match &target.expr {
        Expr::Ident(name) if LIBRARIES.contains(&name.as_str()) && !known.contains(name) => Some(name.clone()),
        _ => None,
    });
    let name = match &library {
        Some(library) => format!("{library}.{}", call.func_name),
        None => call.func_name.clone(),
    };
    let is_operator = name.starts_with(['_', '@', '!', '-']);
    let is_known = || [FUNCTIONS, AUTHORIZER].iter().any(|names| names.contains(&format!(" {name} ")));
    if !is_operator && !is_known() {
        return Err(format!("undeclared reference to '{name}'"));
    }
    if call.func_name == operators::OPT_SELECT {
        // The crate's optional selection fails where the field is missing; its optional index does the same and does not.
        call.func_name = operators::OPT_INDEX.to_owned();
    }
    if let (Some(target), None) = (&mut call.target, library) {
        weave(target, known)?;
    }
    call.args.iter_mut().try_for_each(|argument| weave(argument, known))
}

/// Variables and functions, and what is left of the bound.
pub struct Scope {
    context: Context<'static>,
    rounds: Arc<AtomicU32>,
    /// Variables of a policy, and why some have no value.
    variables: Variables,
}

type Variables = Arc<Mutex<HashMap<String, Result<Value, String>>>>;

impl Default for Scope {
    fn default() -> Scope {
        let rounds = Arc::new(AtomicU32::new(ROUNDS));
        let mut context = Context::default().with_all();
        let left = rounds.clone();
        context.add_function(COUNT, move || -> Result<bool, ExecutionError> {
            let counted = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            counted.map(|_| true).map_err(|_| ExecutionError::function_error(COUNT, TOO_COSTLY))
        });
        context.add_function(UNKNOWN, |what: Arc<String>| -> Result<Value, ExecutionError> {
            Err(ExecutionError::function_error(UNKNOWN, format!("{ONLY_THE_SERVER}{what}")))
        });
        let variables = Variables::default();
        let known = variables.clone();
        context.add_function(VARIABLE, move |name: Arc<String>| variable(&known, &name));
        let known = variables.clone();
        context.add_function(HAS_VARIABLE, move |name: Arc<String>| -> Result<Value, ExecutionError> {
            let is_there = known.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name.as_str());
            if is_there { variable(&known, &name).map(|_| Value::Bool(true)) } else { Ok(Value::Bool(false)) }
        });
        logic::add_to(&mut context);
        context.add_function("replace", replace);
        context.add_function("split", split);
        context.add_function("type", |Arguments(arguments): Arguments| -> Result<Value, ExecutionError> {
            Ok(type_name(arguments.first().unwrap_or(&Value::Null)))
        });
        for name in TYPES {
            context.add_variable_from_value(name, text(name));
        }
        Scope { context, rounds, variables }
    }
}

impl Scope {
    /// Gives a variable; one that stands for an object without this field is [`Value::Null`].
    pub fn set(&mut self, name: &str, value: Value) {
        self.context.add_variable_from_value(name, value);
    }

    /// Gives a policy's variable, or the error of its expression.
    pub fn set_variable(&mut self, name: &str, value: Result<Value, String>) {
        let mut known = self.variables.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), value);
        let values = known.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_ref().ok()?.clone())));
        self.context.add_variable_from_value("variables", map(values));
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// Why it has none, in the words of cel-go.
    pub fn eval(&self, expr: &Compiled) -> Result<Value, String> {
        let value = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.context.resolve(&expr.ast)));
        if self.rounds.load(Ordering::Relaxed) == 0 {
            return Err(TOO_COSTLY.to_owned());
        }
        match value {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(words(&error)),
            Err(_) => Err("it cannot be evaluated".to_owned()),
        }
    }

    /// The truth of an expression.
    ///
    /// # Errors
    /// It has no value, or none that is true or false.
    pub fn is_true(&self, expr: &Compiled) -> Result<bool, String> {
        match self.eval(expr)? {
            Value::Bool(value) => Ok(value),
            other => Err(format!("it gives {:?} in the place of true or false", other.type_of())),
        }
    }
}

/// A policy's variable, or the error of its expression.
fn variable(known: &Variables, name: &Arc<String>) -> Result<Value, ExecutionError> {
    match known.lock().unwrap_or_else(PoisonError::into_inner).get(name.as_str()) {
        Some(Ok(value)) => Ok(value.clone()),
        Some(Err(error)) => Err(ExecutionError::function_error(VARIABLE, error)),
        None => Err(ExecutionError::NoSuchKey(name.clone())),
    }
}

/// What only the server knows, where an error is that an expression rests on it: `request.userInfo`, `authorizer`.
pub fn only_the_server(error: &str) -> Option<&str> {
    error.strip_prefix(ONLY_THE_SERVER)
}

fn words(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload => "no such overload".to_owned(),
        ExecutionError::FunctionError { message, .. } => message.clone(),
        ExecutionError::IndexOutOfBounds(Value::Int(index)) => format!("index out of bounds: {index}"),
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
        }
    }
}

/// `replace` as cel-go has it, within a bound.
fn replace(This(this): This<Arc<String>>, Arguments(arguments): Arguments) -> Result<Value, ExecutionError> {
    let wrong = |message: &str| ExecutionError::function_error("replace", message);
    let (Some(Value::String(from)), Some(Value::String(to))) = (arguments.first(), arguments.get(1)) else {
        return Err(wrong("no such overload"));
    };
    let most = match arguments.get(2) {
        None => usize::MAX,
        Some(Value::Int(most)) => usize::try_from(*most).unwrap_or(usize::MAX),
        Some(_) => return Err(wrong("no such overload")),
    };
    let found = if from.is_empty() { this.chars().count() + 1 } else { this.matches(from.as_str()).count() };
    if this.len() + found.min(most).saturating_mul(to.len()) > LONGEST_TEXT {
        return Err(wrong("the text becomes too long"));
    }
    Ok(Value::String(Arc::new(this.replacen(from.as_str(), to, most))))
}

/// `split` as cel-go has it: nothing between the letters of a text splits it into its letters.
fn split(This(this): This<Arc<String>>, Arguments(arguments): Arguments) -> Result<Value, ExecutionError> {
    let wrong = || ExecutionError::function_error("split", "no such overload");
    let Some(Value::String(separator)) = arguments.first() else { return Err(wrong()) };
    let most = match arguments.get(1) {
        None => usize::MAX,
        Some(Value::Int(most)) => usize::try_from(*most).unwrap_or(usize::MAX),
        Some(_) => return Err(wrong()),
    };
    let parts: Vec<&str> = match (most, separator.as_str()) {
        (0, _) => Vec::new(),
        (most, "") => {
            let mut parts: Vec<&str> = this.split("").filter(|part| !part.is_empty()).take(most).collect();
            let rest: usize = parts.iter().take(most - 1).map(|part| part.len()).sum();
            if parts.len() == most {
                parts[most - 1] = &this[rest..];
            }
            parts
        }
        (most, separator) => this.splitn(most, separator).collect(),
    };
    Ok(Value::List(Arc::new(parts.into_iter().map(text).collect())))
}

fn type_name(value: &Value) -> Value {
    text(match value {
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::UInt(_) => "uint",
        Value::Float(_) => "double",
        Value::String(_) => "string",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "list",
        Value::Map(_) => "map",
        Value::Null => "null_type",
        _ => "dyn",
    })
}

/// An object as expressions see it: with the namespace that it would get.
pub fn object(view: View<'_>, namespace: Option<&str>) -> Value {
    let fields = view.fields().filter(|(_, field)| !field.is_null()).map(|(key, field)| {
        let lacks = field.get_str("namespace").is_none_or(str::is_empty);
        match namespace.filter(|_| key == "metadata" && lacks) {
            Some(namespace) => {
                let own = field.fields().filter(|(_, field)| !field.is_null()).map(|(key, field)| (key, value(field)));
                (key, map(own.chain([("namespace", text(namespace))])))
            }
            None => (key, value(field)),
        }
    });
    map(fields)
}

/// A value of a manifest; a null counts as absent.
pub fn value(view: View<'_>) -> Value {
    match view.value() {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(value),
        Node::Int(value) => Value::Int(value),
        Node::Uint(value) => Value::UInt(value),
        Node::Float(value) if value.fract() == 0.0 && value.abs() < 9.0e15 => Value::Int(value as i64),
        Node::Float(value) => Value::Float(value),
        Node::Str(_) => text(view.str().unwrap_or_default()),
        Node::Seq(_) => Value::List(Arc::new(view.items().map(value).collect())),
        Node::Map(_) => {
            map(view.fields().filter(|(_, field)| !field.is_null()).map(|(key, field)| (key, value(field))))
        }
    }
}

pub fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

pub fn map<'k>(fields: impl Iterator<Item = (&'k str, Value)>) -> Value {
    let map: HashMap<Key, Value> = fields.map(|(key, value)| (Key::String(Arc::new(key.to_owned())), value)).collect();
    Value::Map(Map { map: Arc::new(map) })
}

/// The longest chain of plain fields behind `variable`, as a path: what an expression speaks of.
pub fn field_of(text: &str, variable: &str) -> Option<String> {
    let mut best: Option<&str> = None;
    for (at, _) in text.match_indices(variable) {
        let before = text[..at].chars().next_back();
        let Some(rest) = text[at + variable.len()..].strip_prefix('.') else { continue };
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '.' || letter == '_') {
            continue;
        }
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '.').unwrap_or(rest.len());
        // What is called is no field.
        let chain = if rest[end..].starts_with('(') {
            rest[..end].rsplit_once('.').map_or("", |(own, _)| own)
        } else {
            &rest[..end]
        };
        let chain = chain.trim_end_matches('.');
        if chain.len() > best.map_or(0, str::len) {
            best = Some(chain);
        }
    }
    best.map(str::to_owned)
}
