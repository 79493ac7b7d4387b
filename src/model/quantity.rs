//! Amounts of CPU, memory and storage: `100m`, `1.5Gi`, `1e3`.
//!
//! A quantity behaves like `resource.Quantity` of the API, to the letter: what it accepts and says
//! about the rest, how it prints, where it rounds up, and where 64-bit arithmetic wraps. Rules:
//! apimachinery `pkg/api/resource/{quantity,amount,suffix,math}.go` (Kubernetes 1.36), which is
//! also the source of the error texts.

mod decimal;
mod parse;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::{AddAssign, SubAssign};
use std::str::FromStr;

use decimal::Decimal;
use parse::{Parts, suffix};

/// Smallest exponent that is kept: billionths. Anything finer is rounded up to it.
const NANO: i32 = -9;
/// Exponent to which the API server rounds requests and limits when it fills in defaults.
const MILLI: i32 = -3;

/// Why a text is not a quantity. Its display is the API's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantityError {
    /// The text has not the shape of a number with a suffix.
    Format,
    /// The number is missing where it is needed.
    Numeric,
    /// The suffix is unknown.
    Suffix,
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            QuantityError::Format => {
                "quantities must match the regular expression \
                 '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            }
            QuantityError::Numeric => "unable to parse numeric part of quantity",
            QuantityError::Suffix => "unable to parse quantity's suffix",
        })
    }
}

impl std::error::Error for QuantityError {}

/// How a quantity prints: it remembers the kind of suffix it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `1e3`
    DecimalExponent,
    /// `1Ki`
    BinarySi,
    /// `1k`, `1`, `1m`
    DecimalSi,
}

/// `Small` is `value * 10^exponent`, the fast half.
#[derive(Clone, Debug)]
enum Amount {
    Small { value: i64, exponent: i32 },
    Large(Decimal),
}

/// An exact amount. Two quantities are equal when their values are, whatever their spelling.
#[derive(Clone, Debug)]
pub struct Quantity {
    amount: Amount,
    format: Format,
    /// The text as written, where the API keeps it instead of the canonical form.
    text: Option<Box<str>>,
}

impl Quantity {
    /// Reads a quantity. Surrounding blanks are an error here, see [`Quantity::parse_json`].
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        if text == "0" {
            return Ok(Quantity { text: Some(text.into()), ..Quantity::from_i64(0) });
        }
        let parts = Parts::split(text)?;
        let (format, exponent) = suffix(parts.suffix).ok_or(QuantityError::Suffix)?;
        match parts.small(format, exponent) {
            Some((value, scale, keep)) => Ok(Quantity {
                amount: Amount::Small { value, exponent: scale },
                format,
                text: keep.then(|| text.into()),
            }),
            None => parts.large(format, exponent),
        }
    }

    /// Reads the raw text of a JSON string or number as the API's decoder does, which allows blanks
    /// around the quantity.
    pub fn parse_json(text: &str) -> Result<Quantity, QuantityError> {
        Quantity::parse(text.trim())
    }

    /// Whether a text is plainly a quantity that prints as it is, stored or not: a number below 1,000 and a common
    /// suffix. Of others only reading them tells.
    pub fn is_plain(text: &str) -> bool {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, suffix) = text.split_at(digits);
        matches!(digits, 1..=3)
            && !number.starts_with('0')
            && matches!(suffix, "" | "m" | "k" | "M" | "G" | "Ki" | "Mi" | "Gi")
    }

    /// A whole number, printed with decimal suffixes.
    pub fn from_i64(value: i64) -> Quantity {
        Quantity::new(value, 0, Format::DecimalSi)
    }

    /// `value` thousandths, printed with decimal suffixes.
    pub fn from_milli(value: i64) -> Quantity {
        Quantity::new(value, MILLI, Format::DecimalSi)
    }

    /// A whole number, printed with binary suffixes (memory, storage).
    pub fn from_bytes(value: i64) -> Quantity {
        Quantity::new(value, 0, Format::BinarySi)
    }

    fn new(value: i64, exponent: i32, format: Format) -> Quantity {
        Quantity { amount: Amount::Small { value, exponent }, format, text: None }
    }

    /// The kind of suffix it prints with.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whole units, rounded up. Beyond 64 bits this gives what the API's `Value()` gives: zero or a
    /// wrapped number, as schedulers and controllers see it.
    pub fn value(&self) -> i64 {
        self.scaled_value(0)
    }

    /// Thousandths, rounded up; beyond 64 bits as [`Quantity::value`].
    pub fn milli_value(&self) -> i64 {
        self.scaled_value(MILLI)
    }

    fn scaled_value(&self, scale: i32) -> i64 {
        match &self.amount {
            Amount::Small { value, exponent } if *exponent < scale => divide_up(*value, scale - exponent).0,
            Amount::Small { value, exponent } => multiply_wrapping(*value, exponent.wrapping_sub(scale)),
            Amount::Large(decimal) => decimal.scaled_wrapping(i64::from(-scale)),
        }
    }

    /// Whole units, rounded away from zero and held within 64 bits.
    pub fn value_saturating(&self) -> i64 {
        self.decimal().scaled_saturating(0)
    }

    /// Thousandths, rounded away from zero and held within 64 bits.
    pub fn milli_value_saturating(&self) -> i64 {
        self.decimal().scaled_saturating(3)
    }

    /// Whether it is a whole number of units.
    pub fn is_integer(&self) -> bool {
        self.decimal().into_owned().round_up(0)
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        match &self.amount {
            Amount::Small { value, .. } => *value == 0,
            Amount::Large(decimal) => decimal.is_zero(),
        }
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        match &self.amount {
            Amount::Small { value, .. } => value.signum() as i32,
            Amount::Large(decimal) if decimal.is_zero() => 0,
            Amount::Large(decimal) => {
                if decimal.is_negative() {
                    -1
                } else {
                    1
                }
            }
        }
    }

    /// Changes the sign.
    pub fn negate(&mut self) {
        self.text = None;
        match &mut self.amount {
            Amount::Small { value, .. } => *value = value.wrapping_neg(),
            Amount::Large(decimal) => decimal.negate(),
        }
    }

    /// Compares with a whole number.
    pub fn cmp_i64(&self, other: i64) -> Ordering {
        self.decimal().compare(&Decimal::from_i64(other, 0))
    }

    /// Rounds away from zero to a multiple of `10^scale`; tells whether the value stayed the same.
    pub fn round_up(&mut self, scale: i32) -> bool {
        match &mut self.amount {
            Amount::Small { exponent, .. } if *exponent >= scale => true,
            Amount::Small { value, exponent } => {
                self.text = None;
                let (rounded, exact) = divide_up(*value, scale - *exponent);
                (*value, *exponent) = (rounded, scale);
                exact
            }
            Amount::Large(decimal) => {
                self.text = None;
                decimal.round_up(i64::from(-scale))
            }
        }
    }

    /// The quantity as the API server stores it in a list of resources: rounded up to thousandths
    /// (`SetDefaults_ResourceList` in `pkg/apis/core/v1/defaults.go`).
    #[must_use]
    pub fn stored(&self) -> Quantity {
        let mut out = self.clone();
        out.round_up(MILLI);
        out
    }

    /// The text the API prints: the one written where that already was canonical enough, else the
    /// canonical form. As in the API, a suffix that does not exist (`1000E`, `1024Ei`) is left out.
    pub fn canonical(&self) -> String {
        match &self.text {
            Some(text) => text.to_string(),
            None => self.computed(),
        }
    }

    fn computed(&self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let large = self.cmp_i64(-1024).is_le() || self.cmp_i64(1024).is_ge();
        if self.format == Format::BinarySi
            && large
            && let Some((number, times)) = self.decimal().canonical_1024()
        {
            let suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
            let at = usize::try_from(times).unwrap_or(usize::MAX);
            return number + suffixes.get(at).copied().unwrap_or("");
        }
        let (number, exponent) = self.decimal().canonical();
        match self.format {
            Format::DecimalExponent if exponent != 0 => format!("{number}e{exponent}"),
            Format::DecimalExponent => number,
            Format::BinarySi | Format::DecimalSi => number + decimal_suffix(exponent),
        }
    }

    fn accumulate(&mut self, other: &Quantity) {
        self.text = None;
        if self.is_zero() {
            self.format = other.format;
        }
        self.amount = match (&self.amount, &other.amount) {
            (Amount::Small { value: a, exponent: i }, Amount::Small { value: b, exponent: j }) => {
                small_sum((*a, *i), (*b, *j))
            }
            _ => None,
        }
        .unwrap_or_else(|| Amount::Large(self.decimal().sum(&other.decimal())));
    }

    fn decimal(&self) -> Cow<'_, Decimal> {
        match &self.amount {
            Amount::Small { value, exponent } => Cow::Owned(Decimal::from_i64(*value, i64::from(*exponent))),
            Amount::Large(decimal) => Cow::Borrowed(decimal),
        }
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Quantity, QuantityError> {
        Quantity::parse(text)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical())
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> Ordering {
        match (&self.amount, &other.amount) {
            (Amount::Small { value: a, exponent: i }, Amount::Small { value: b, exponent: j }) if i == j => a.cmp(b),
            _ => self.decimal().compare(&other.decimal()),
        }
    }
}

/// Exact; a zero takes over the format of what is added.
impl AddAssign<&Quantity> for Quantity {
    fn add_assign(&mut self, other: &Quantity) {
        self.accumulate(other);
    }
}

/// Exact; a zero takes over the format of what is subtracted.
impl SubAssign<&Quantity> for Quantity {
    fn sub_assign(&mut self, other: &Quantity) {
        let mut negated = other.clone();
        negated.negate();
        self.accumulate(&negated);
    }
}

fn decimal_suffix(exponent: i64) -> &'static str {
    match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    }
}

/// `value * 10^power`; `None` beyond 64 bits.
fn multiply(value: i64, power: i32) -> Option<i64> {
    if value == 0 || power <= 0 {
        return Some(value);
    }
    value.checked_mul(10_i64.checked_pow(power.unsigned_abs())?)
}

/// As [`multiply`], but past 64 bits what the API makes of it: its short cuts for common powers wrap,
/// the general case gives zero.
fn multiply_wrapping(value: i64, power: i32) -> i64 {
    multiply(value, power).unwrap_or_else(|| match power {
        1 | 2 | 3 | 6 | 9 if value != i64::MIN => value.wrapping_mul(10_i64.pow(power.unsigned_abs())),
        _ => 0,
    })
}

/// `value / 10^power` rounded away from zero, and whether that was exact.
fn divide_up(value: i64, power: i32) -> (i64, bool) {
    let Some(divisor) = 10_i64.checked_pow(power.unsigned_abs()) else {
        return (value.signum(), value == 0);
    };
    let exact = value % divisor == 0;
    (value / divisor + if exact { 0 } else { value.signum() }, exact)
}

fn small_sum((a, i): (i64, i32), (b, j): (i64, i32)) -> Option<Amount> {
    let (value, exponent) = match (a, b) {
        (_, 0) => (a, i),
        (0, _) => (b, j),
        _ if i >= j => (multiply(a, i.checked_sub(j)?)?.checked_add(b)?, j),
        _ => (a.checked_add(multiply(b, j.checked_sub(i)?)?)?, i),
    };
    Some(Amount::Small { value, exponent })
}
