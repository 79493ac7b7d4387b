//! GitHub's expressions, as far as action.yml and the workflows use them; what it does not know is an error.

use serde_json::Value;

/// What the steps so far came to.
#[derive(Clone, Copy, PartialEq)]
pub enum Status {
    Success,
    Failure,
}

/// Replaces each `${{ … }}` of a text.
pub fn replace(text: &str, contexts: &Value) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${{") {
        let (expression, after) = behind.split_once("}}").ok_or_else(|| format!("no end of ${{{{ in {text:?}"))?;
        out.push_str(before);
        out.push_str(&look_up(expression.trim(), contexts)?);
        rest = after;
    }
    Ok(out + rest)
}

/// Whether a step with this `if:` runs.
pub fn holds(condition: Option<&str>, status: Status) -> Result<bool, String> {
    let condition = condition.unwrap_or("success()").trim();
    let inner = condition.strip_prefix("${{").and_then(|text| text.strip_suffix("}}")).unwrap_or(condition);
    match inner.trim() {
        "always()" => Ok(true),
        "success()" => Ok(status == Status::Success),
        "failure()" => Ok(status == Status::Failure),
        other => Err(format!("unknown condition `{other}`")),
    }
}

/// A path as `inputs.version`. An output that a step did not write is empty, as on GitHub; all else must be there.
fn look_up(expression: &str, contexts: &Value) -> Result<String, String> {
    let unknown = || format!("unknown expression `{expression}`");
    let parts: Vec<&str> = expression.split('.').collect();
    let mut value = contexts;
    for part in &parts {
        value = match (value.get(part), parts.as_slice()) {
            (Some(value), _) => value,
            (None, ["steps", step, "outputs", _]) if contexts["steps"].get(step).is_some() => &Value::Null,
            (None, _) => return Err(unknown()),
        };
    }
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(bool) => Ok(bool.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Array(_) | Value::Object(_) => Err(unknown()),
    }
}
