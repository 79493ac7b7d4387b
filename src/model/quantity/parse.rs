//! Reading the text of a quantity: sign, number and suffix, then the short or the long way.

use super::decimal::Decimal;
use super::{Amount, Format, NANO, Quantity, QuantityError};

/// Decimal digits that always fit 64 bits.
const SAFE_DIGITS: i64 = 18;

/// The pieces of a quantity's text.
pub(super) struct Parts<'a> {
    negative: bool,
    /// Sign and number as written.
    value: &'a str,
    /// Digits before the point without leading zeros, at least `0`.
    whole: &'a str,
    /// Digits after the point.
    fraction: &'a str,
    pub(super) suffix: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn split(text: &'a str) -> Result<Parts<'a>, QuantityError> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let rest = unsigned.trim_start_matches('0');
        if rest.is_empty() {
            return Ok(Parts { negative, value: "0", whole: "0", fraction: "", suffix: "" });
        }
        let (whole, rest) = take_while(rest, |b| b.is_ascii_digit());
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(after) => take_while(after, |b| b.is_ascii_digit()),
            None => ("", rest),
        };
        let value = &text[..text.len() - rest.len()];
        let (_, tail) = take_while(rest, |b| b"eEinumkKMGTP".contains(&b));
        let tail = tail.strip_prefix(['-', '+']).unwrap_or(tail);
        if !tail.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QuantityError::Format);
        }
        let whole = if whole.is_empty() { "0" } else { whole };
        Ok(Parts { negative, value, whole, fraction, suffix: rest })
    }

    fn digits(&self) -> i64 {
        (self.whole.len() + self.fraction.len()) as i64
    }

    /// Value, exponent and whether the text is kept, if all of it surely fits 64 bits.
    pub(super) fn small(&self, format: Format, exponent: i32) -> Option<(i64, i32, bool)> {
        let (precision, scale, factor) = match format {
            Format::BinarySi if self.fraction.is_empty() => {
                let precision = 14 - self.digits() - i64::from(exponent * 3 / 10);
                (precision, 0, 1_i64 << exponent)
            }
            Format::BinarySi => return None,
            _ => (SAFE_DIGITS - self.digits(), exponent, 1),
        };
        let places = i32::try_from(self.fraction.len()).ok()?;
        let scale = scale.wrapping_sub(places);
        if precision < 0 || scale < NANO {
            return None;
        }
        let shifted = format!("{}{}", self.whole, self.fraction);
        let value: i64 = shifted.parse().ok()?;
        let keep = match format {
            Format::BinarySi => value & 7 != 0,
            _ => scale % 3 == 0 && !shifted.ends_with("000") && !shifted.starts_with('0'),
        };
        let product = value.checked_mul(factor)?;
        Some((if self.negative { -product } else { product }, scale, keep))
    }

    /// The long way: rounded up to billionths, binary amounts capped at 2^63-1.
    pub(super) fn large(&self, format: Format, exponent: i32) -> Result<Quantity, QuantityError> {
        let mut decimal = Decimal::parse(self.value).ok_or(QuantityError::Numeric)?;
        match format {
            Format::BinarySi => decimal.shift_binary(exponent.unsigned_abs()),
            _ => decimal.shift(i64::from(exponent)),
        }
        if !decimal.is_zero() {
            decimal.round_up(i64::from(-NANO));
        }
        let mut size = decimal.clone();
        if size.is_negative() {
            size.negate();
        }
        let mut format = format;
        if format == Format::BinarySi {
            let most = Decimal::from_i64(i64::MAX, 0);
            if size.compare(&most).is_gt() {
                let negative = decimal.is_negative();
                decimal = most;
                if negative {
                    decimal.negate();
                }
            }
            if size.compare(&Decimal::from_i64(1, 0)).is_lt() && !size.is_zero() {
                format = Format::DecimalSi;
            }
        }
        Ok(Quantity { amount: Amount::Large(decimal), format, text: None })
    }
}

fn take_while(text: &str, accept: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|b| !accept(b)).unwrap_or(text.len());
    text.split_at(end)
}

/// Format and exponent (of ten, or of two for binary suffixes). An exponent written out is cut to
/// 32 bits, as in the API.
pub(super) fn suffix(text: &str) -> Option<(Format, i32)> {
    let decimal = |exponent| Some((Format::DecimalSi, exponent));
    let binary = |exponent| Some((Format::BinarySi, exponent));
    match text {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent: i64 = text.strip_prefix(['e', 'E'])?.parse().ok()?;
            Some((Format::DecimalExponent, exponent as i32))
        }
    }
}
