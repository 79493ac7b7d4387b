//! Go's words for text that is no JSON object (`json.Unmarshal` into a map; Go 1.26 `encoding/json/scanner.go`).

/// Why the bytes are no JSON object; `None` when they are one, or `null`.
pub(super) fn object_error(bytes: &[u8]) -> Option<String> {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(serde_json::Value::Object(_) | serde_json::Value::Null) => None,
        Ok(value) => {
            let kind = match value {
                serde_json::Value::Array(_) => "array",
                serde_json::Value::String(_) => "string",
                serde_json::Value::Bool(_) => "bool",
                _ => "number",
            };
            Some(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
        }
        Err(error) => Some(syntax_error(bytes, &error)),
    }
}

fn syntax_error(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    // Go looks at bytes, and shows each as the character of that number.
    let text: String = bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect();
    let offset = offset_of(&text, error.line(), error.column());
    let char = bytes.get(offset).map_or('\0', |byte| char::from(*byte));
    let shown = match char {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        char => format!("'{char}'"),
    };
    format!("invalid character {shown} {}", context(&text, offset))
}

fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    start + column.saturating_sub(1)
}

/// What Go was doing at the offending character.
fn context(text: &str, offset: usize) -> &'static str {
    let before = text.get(..offset).unwrap_or("").trim_end();
    match before.chars().last() {
        None | Some(':') | Some('[') => "looking for beginning of value",
        Some('{') => "looking for beginning of object key string",
        Some(',') if open_bracket(before) == Some('{') => "looking for beginning of object key string",
        Some(',') => "looking for beginning of value",
        Some('"') if open_bracket(before) == Some('{') && is_key(before) => "after object key",
        _ => match open_bracket(before) {
            Some('{') => "after object key:value pair",
            Some(_) => "after array element",
            None => "after top-level value",
        },
    }
}

fn open_bracket(before: &str) -> Option<char> {
    let (mut stack, mut quoted, mut escaped) = (Vec::new(), false, false);
    for char in before.chars() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' => stack.push(char),
            '}' | ']' => {
                stack.pop();
            }
            _ => {}
        }
    }
    stack.pop()
}

/// Whether the string that ends here is a key: what stands before it is `{` or `,`.
fn is_key(before: &str) -> bool {
    let inner = before.strip_suffix('"').unwrap_or(before);
    let start = inner.rfind('"').unwrap_or(0);
    inner.get(..start).is_some_and(|head| head.trim_end().ends_with(['{', ',']))
}
