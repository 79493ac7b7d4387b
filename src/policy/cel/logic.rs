//! `&&`, `||`, `all` and `exists` as cel-go has them (`evalAnd`, `evalOr` of interpreter/interpretable.go): what decides
//! absorbs an error on either side of it, and of several errors the first one counts.
//!
//! The crate keeps the accumulator of a loop as a value, which an error is none; here it is kept beside it, by the loop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use kube_cel::cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use kube_cel::cel::{Context, ExecutionError, FunctionContext, Value};

const AND: &str = "@and";
const OR: &str = "@or";
/// Begins a loop: its number, and the accumulator at first.
const START: &str = "@start";
/// One round: the loop's number, what decides, the accumulator, the condition.
const STEP: &str = "@step";
/// Ends a loop: its number, what decides, the accumulator.
const END: &str = "@end";

/// Puts these calls in the place of the operators and the loops of `all` and `exists`.
pub(super) fn weave(expr: &mut IdedExpr) {
    let number = expr.id;
    match &mut expr.expr {
        Expr::Unspecified | Expr::Struct(_) | Expr::Literal(_) | Expr::Ident(_) => {}
        Expr::Select(select) => weave(&mut select.operand),
        Expr::List(list) => list.elements.iter_mut().for_each(weave),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| match &mut entry.expr {
            EntryExpr::MapEntry(entry) => {
                weave(&mut entry.key);
                weave(&mut entry.value);
            }
            EntryExpr::StructField(field) => weave(&mut field.value),
        }),
        Expr::Call(call) => weave_call(call),
        Expr::Comprehension(each) => weave_loop(each, number),
    }
}

fn weave_call(call: &mut CallExpr) {
    call.target.iter_mut().for_each(|target| weave(target));
    call.args.iter_mut().for_each(weave);
    match call.func_name.as_str() {
        operators::LOGICAL_AND => call.func_name = AND.to_owned(),
        operators::LOGICAL_OR => call.func_name = OR.to_owned(),
        _ => {}
    }
}

fn weave_loop(each: &mut ComprehensionExpr, number: u64) {
    weave(&mut each.iter_range);
    let Some(decides) = decides(each) else {
        weave(&mut each.loop_step);
        weave(&mut each.result);
        return;
    };
    let number = || literal(LiteralValue::Int((number as i64).into()));
    let truth = |value: bool| literal(LiteralValue::Boolean(value.into()));
    let accumulator = || IdedExpr { id: 0, expr: Expr::Ident(each.accu_var.clone()) };
    let mut condition = IdedExpr::default();
    if let Expr::Call(step) = &mut each.loop_step.expr {
        condition = step.args.pop().unwrap_or_default();
    }
    weave(&mut condition);
    each.loop_step = call(STEP, vec![number(), truth(decides), accumulator(), condition]);
    each.accu_init = call(START, vec![number(), truth(!decides)]);
    each.result = call(END, vec![number(), truth(decides), accumulator()]);
}

/// The truth that decides a loop of `all` or `exists`; `None` for other loops.
fn decides(each: &ComprehensionExpr) -> Option<bool> {
    let (Expr::Literal(LiteralValue::Boolean(first)), Expr::Call(step)) = (&each.accu_init.expr, &each.loop_step.expr)
    else {
        return None;
    };
    let is_own =
        matches!(step.args.first().map(|argument| &argument.expr), Some(Expr::Ident(name)) if *name == each.accu_var);
    match (step.func_name.as_str(), *first.inner()) {
        (operators::LOGICAL_AND, true) if is_own && step.args.len() == 2 => Some(false),
        (operators::LOGICAL_OR, false) if is_own && step.args.len() == 2 => Some(true),
        _ => None,
    }
}

fn literal(value: LiteralValue) -> IdedExpr {
    IdedExpr { id: 0, expr: Expr::Literal(value) }
}

fn call(name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    IdedExpr { id: 0, expr: Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }) }
}

/// The first error of each loop that runs.
type Errors = Arc<Mutex<HashMap<i64, ExecutionError>>>;

/// Gives a context the calls.
pub(super) fn add_to(context: &mut Context<'static>) {
    context.add_function(AND, |call: &FunctionContext| -> Result<Value, ExecutionError> { both(call, false) });
    context.add_function(OR, |call: &FunctionContext| -> Result<Value, ExecutionError> { both(call, true) });
    let errors = Errors::default();
    let of_start = errors.clone();
    context.add_function(START, move |number: i64, first: bool| -> Result<Value, ExecutionError> {
        lock(&of_start).remove(&number);
        Ok(Value::Bool(first))
    });
    let of_step = errors.clone();
    context.add_function(
        STEP,
        move |call: &FunctionContext, number: i64, decides: bool, so_far: bool| -> Result<Value, ExecutionError> {
            let condition = call.args.get(3).ok_or(ExecutionError::NoSuchOverload)?;
            match truth(call.ptx.resolve(condition)) {
                Ok(value) if value == decides => return Ok(Value::Bool(decides)),
                Ok(_) => {}
                Err(error) => drop(lock(&of_step).entry(number).or_insert(error)),
            }
            Ok(Value::Bool(so_far))
        },
    );
    context.add_function(END, move |number: i64, decides: bool, result: bool| -> Result<Value, ExecutionError> {
        match lock(&errors).remove(&number) {
            Some(error) if result != decides => Err(error),
            _ => Ok(Value::Bool(result)),
        }
    });
}

fn lock(errors: &Errors) -> std::sync::MutexGuard<'_, HashMap<i64, ExecutionError>> {
    errors.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// An operator: true or false as soon as one side decides, else the first error.
fn both(call: &FunctionContext<'_, '_>, decides: bool) -> Result<Value, ExecutionError> {
    let mut first = None;
    for side in call.args {
        match truth(call.ptx.resolve(side)) {
            Ok(value) if value == decides => return Ok(Value::Bool(decides)),
            Ok(_) => {}
            Err(error) => first = first.or(Some(error)),
        }
    }
    first.map_or(Ok(Value::Bool(!decides)), Err)
}

fn truth(value: Result<Value, ExecutionError>) -> Result<bool, ExecutionError> {
    match value? {
        Value::Bool(value) => Ok(value),
        _ => Err(ExecutionError::NoSuchOverload),
    }
}
