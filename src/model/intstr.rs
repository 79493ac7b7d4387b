//! Values that are a number or a percentage: `maxSurge`, `minAvailable`, `targetPort`.
//!
//! Rules and texts: apimachinery `pkg/util/intstr/intstr.go` (Kubernetes 1.36).

use std::fmt;

use super::number::{NumberError, parse_int, quote};

/// A whole number or a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IntOrString {
    Int(i32),
    Str(String),
}

impl IntOrString {
    /// The number, or the one that the text spells; 0 if it spells none.
    pub fn int_value(&self) -> i64 {
        match self {
            IntOrString::Int(value) => i64::from(*value),
            IntOrString::Str(text) => match parse_int(text, 10) {
                Ok(value) => value,
                Err(NumberError::Range) if text.starts_with('-') => i64::MIN,
                Err(NumberError::Range) => i64::MAX,
                Err(NumberError::Syntax) => 0,
            },
        }
    }

    /// The percentage that a text like `25%` spells.
    pub fn percent(&self) -> Option<i64> {
        match self {
            IntOrString::Int(_) => None,
            IntOrString::Str(text) => parse_int(text.strip_suffix('%')?, 10).ok(),
        }
    }

    /// The number, or the percentage of `total`, rounded up or down
    /// (`GetScaledValueFromIntOrPercent`). The error is the API's text.
    pub fn scaled(&self, total: i64, round_up: bool) -> Result<i64, String> {
        let text = match self {
            IntOrString::Int(value) => return Ok(i64::from(*value)),
            IntOrString::Str(text) => text,
        };
        let fail = |why: &str| Err(format!("invalid value for IntOrString: {why}"));
        let Some(digits) = text.strip_suffix('%') else {
            return fail("invalid type: string is not a percentage");
        };
        let percent = match parse_int(digits, 10) {
            Ok(percent) => percent,
            Err(error) => {
                let cause = atoi_error(digits, error);
                return fail(&format!("invalid value {}: {cause}", quote(text)));
            }
        };
        let exact = percent as f64 * total as f64 / 100.0;
        let whole = if round_up { exact.ceil() } else { exact.floor() };
        // What the API's conversion gives beyond 64 bits.
        Ok(if whole >= i64::MAX as f64 { i64::MIN } else { whole as i64 })
    }
}

/// What Go says when a text is not a decimal number.
pub fn atoi_error(text: &str, error: NumberError) -> String {
    format!("strconv.Atoi: parsing {}: {error}", quote(text))
}

impl From<i32> for IntOrString {
    fn from(value: i32) -> IntOrString {
        IntOrString::Int(value)
    }
}

impl From<&str> for IntOrString {
    fn from(text: &str) -> IntOrString {
        IntOrString::Str(text.to_owned())
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IntOrString::Int(value) => value.fmt(f),
            IntOrString::Str(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_percentages() {
        let scaled = |text: &str, total, up| IntOrString::from(text).scaled(total, up);
        assert_eq!(scaled("25%", 10, true), Ok(3));
        assert_eq!(scaled("25%", 10, false), Ok(2));
        assert_eq!(scaled("+50%", 3, true), Ok(2));
        assert_eq!(scaled("-50%", 3, false), Ok(-2));
        assert_eq!(scaled("150%", 2, false), Ok(3));
        assert_eq!(IntOrString::Int(7).scaled(100, true), Ok(7));
    }

    /// Texts recorded from apimachinery v0.36.3.
    #[test]
    fn refuses_with_the_texts_of_the_api() {
        let error = |text: &str| IntOrString::from(text).scaled(1, true).unwrap_err();
        let plain = "invalid value for IntOrString: invalid type: string is not a percentage";
        assert_eq!(error("5"), plain);
        let syntax = "invalid value for IntOrString: invalid value \"a%\": \
                      strconv.Atoi: parsing \"a\": invalid syntax";
        assert_eq!(error("a%"), syntax);
        let range = "invalid value for IntOrString: invalid value \"99999999999999999999%\": \
                     strconv.Atoi: parsing \"99999999999999999999\": value out of range";
        assert_eq!(error("99999999999999999999%"), range);
        assert!(error("%").ends_with("parsing \"\": invalid syntax"));
    }

    #[test]
    fn reads_numbers() {
        assert_eq!(IntOrString::from("80").int_value(), 80);
        assert_eq!(IntOrString::from("http").int_value(), 0);
        assert_eq!(IntOrString::Int(-1).to_string(), "-1");
        assert_eq!(IntOrString::from("30%").percent(), Some(30));
        assert_eq!(IntOrString::from("30").percent(), None);
    }
}
