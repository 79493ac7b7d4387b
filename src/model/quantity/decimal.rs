//! Decimal numbers of any length: the slow half of a quantity.
//!
//! The value is `digits * 10^exponent`. Beside it stands a nominal `scale` (count of decimal
//! places), which changes nothing about the value but decides what Kubernetes reads out of a number
//! that is too long for 64 bits. Rules: gopkg.in/inf.v0 `Dec` and apimachinery
//! `pkg/api/resource/scale_int.go` (Kubernetes 1.36).

use std::cmp::Ordering;

/// Sums are exact up to this many digits; beyond it the smaller operand is dropped.
const MAX_DIGITS: i64 = 10_000;

/// A signed decimal. `digits` has neither leading nor trailing zeros and is empty for zero.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
    scale: i64,
}

impl Decimal {
    /// `value * 10^exponent`, with the nominal scale `-exponent`.
    pub(super) fn from_i64(value: i64, exponent: i64) -> Decimal {
        let text = value.unsigned_abs().to_string();
        let digits = text.bytes().map(|b| b - b'0').collect();
        Decimal::new(value < 0, digits, exponent, -exponent)
    }

    /// Reads `[sign]digits[.digits]`; `None` when there is no digit or something else.
    pub(super) fn parse(text: &str) -> Option<Decimal> {
        let (negative, body) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let mut digits = Vec::with_capacity(body.len());
        let mut places = None;
        for &byte in body {
            match byte {
                b'0'..=b'9' => digits.push(byte - b'0'),
                b'.' if places.is_none() => places = Some(digits.len()),
                _ => return None,
            }
        }
        if digits.is_empty() {
            return None;
        }
        let scale = places.map_or(0, |point| (digits.len() - point) as i64);
        Some(Decimal::new(negative, digits, -scale, scale))
    }

    fn new(negative: bool, mut digits: Vec<u8>, mut exponent: i64, scale: i64) -> Decimal {
        let zeros = digits.iter().take_while(|&&d| d == 0).count();
        digits.drain(..zeros);
        while digits.last() == Some(&0) {
            digits.pop();
            exponent += 1;
        }
        if digits.is_empty() {
            exponent = -scale;
        }
        let negative = negative && !digits.is_empty();
        Decimal { negative, digits, exponent, scale }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(super) fn is_negative(&self) -> bool {
        self.negative
    }

    pub(super) fn negate(&mut self) {
        self.negative = !self.negative && !self.is_zero();
    }

    /// Multiplies by `10^power`, as a suffix does.
    pub(super) fn shift(&mut self, power: i64) {
        self.exponent += power;
        self.scale -= power;
    }

    /// Multiplies by `2^power`; `power` is at most 60.
    pub(super) fn shift_binary(&mut self, power: u32) {
        let factor = 1_u128 << power.min(60);
        let mut carry = 0_u128;
        let mut out = Vec::with_capacity(self.digits.len() + 20);
        for &digit in self.digits.iter().rev() {
            carry += u128::from(digit) * factor;
            out.push((carry % 10) as u8);
            carry /= 10;
        }
        while carry > 0 {
            out.push((carry % 10) as u8);
            carry /= 10;
        }
        out.reverse();
        *self = Decimal::new(self.negative, out, self.exponent, self.scale);
    }

    /// Rounds away from zero to `places` decimal places (negative: tens, hundreds, …) and takes that
    /// as the nominal scale. Tells whether the value stayed the same.
    pub(super) fn round_up(&mut self, places: i64) -> bool {
        let (cut, exact) = self.truncated(places);
        *self = if exact {
            Decimal::new(self.negative, cut, self.exponent.max(-places), places)
        } else {
            Decimal::new(self.negative, increment(cut), -places, places)
        };
        exact
    }

    /// The digits that stay when everything past `places` decimal places is cut, and whether
    /// nothing was cut. The last digit has the weight `10^max(exponent, -places)`.
    fn truncated(&self, places: i64) -> (Vec<u8>, bool) {
        let excess = -places - self.exponent;
        if self.is_zero() || excess <= 0 {
            return (self.digits.clone(), true);
        }
        let keep = (self.digits.len() as i64 - excess).max(0) as usize;
        (self.digits[..keep].to_vec(), false)
    }

    /// The sum, exact unless it needs more than `MAX_DIGITS` digits.
    pub(super) fn sum(&self, other: &Decimal) -> Decimal {
        let scale = self.scale.max(other.scale);
        let low = self.exponent.min(other.exponent);
        if self.is_zero() || other.is_zero() || self.top().max(other.top()) - low > MAX_DIGITS {
            let larger = if self.magnitude(other).is_lt() { other } else { self };
            return Decimal { scale, ..larger.clone() };
        }
        let (a, b) = (self.aligned(low), other.aligned(low));
        if self.negative == other.negative {
            return Decimal::new(self.negative, add_digits(&a, &b), low, scale);
        }
        match self.magnitude(other) {
            Ordering::Less => Decimal::new(other.negative, subtract_digits(&b, &a), low, scale),
            _ => Decimal::new(self.negative, subtract_digits(&a, &b), low, scale),
        }
    }

    /// Position just above the first digit, as a power of ten.
    fn top(&self) -> i64 {
        self.digits.len() as i64 + self.exponent
    }

    /// The digits, least significant first, down to the weight `10^low`.
    fn aligned(&self, low: i64) -> Vec<u8> {
        let pad = (self.exponent - low).clamp(0, MAX_DIGITS) as usize;
        let mut out = vec![0; pad];
        out.extend(self.digits.iter().rev());
        out
    }

    fn magnitude(&self, other: &Decimal) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.top().cmp(&other.top()).then_with(|| self.digits.cmp(&other.digits)),
        }
    }

    pub(super) fn compare(&self, other: &Decimal) -> Ordering {
        match (self.negative, other.negative) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }

    /// Digits and exponent with the exponent lowered to a multiple of three.
    pub(super) fn canonical(&self) -> (String, i64) {
        let extra = self.exponent.rem_euclid(3);
        let mut out = self.digit_text(extra as usize);
        if self.negative {
            out.insert(0, '-');
        }
        (out, self.exponent - extra)
    }

    /// The integer part with all factors of 1024 removed, and how many there were. `None` when the
    /// number is fractional or too long to be worth it.
    pub(super) fn canonical_1024(&self) -> Option<(String, i64)> {
        if self.exponent < 0 || self.top() > MAX_DIGITS {
            return None;
        }
        let mut rest = self.digits.clone();
        rest.resize(rest.len() + self.exponent as usize, 0);
        let mut times = 0;
        while !rest.is_empty() {
            let (quotient, remainder) = divide_1024(&rest);
            if remainder != 0 {
                break;
            }
            rest = quotient;
            times += 1;
        }
        let whole = Decimal { negative: self.negative, digits: rest, exponent: 0, scale: 0 };
        let sign = if whole.negative { "-" } else { "" };
        Some((format!("{sign}{}", whole.digit_text(0)), times))
    }

    fn digit_text(&self, zeros: usize) -> String {
        let digits = self.digits.iter().map(|d| char::from(b'0' + d));
        digits.chain(std::iter::repeat_n('0', zeros)).collect()
    }

    /// What `scaledValue` of the API gives at `places` decimal places: rounded up, but with the
    /// wrapping of 64-bit arithmetic and its rounding of negative fractions towards zero or past it.
    pub(super) fn scaled_wrapping(&self, places: i64) -> i64 {
        let difference = self.scale - places;
        let unscaled = low_bits(&self.digits, self.exponent + self.scale, self.negative);
        if difference <= 0 {
            let power = u32::try_from(-difference).unwrap_or(u32::MAX);
            return unscaled.wrapping_mul(10_i64.checked_pow(power).unwrap_or(i64::MIN));
        }
        let power = u32::try_from(difference).ok().and_then(|p| 10_i64.checked_pow(p));
        if let (Some(divisor), true) = (power, self.unscaled_below_max()) {
            return unscaled / divisor + i64::from(unscaled % divisor != 0);
        }
        let (kept, exact) = self.truncated(places);
        let weight = self.exponent.max(-places) + places;
        let quotient = low_bits(&kept, weight, self.negative);
        quotient.wrapping_add(i64::from(!exact && !self.negative))
    }

    fn unscaled_below_max(&self) -> bool {
        let unscaled = Decimal { exponent: self.exponent + self.scale, ..self.clone() };
        unscaled.compare(&Decimal::from_i64(i64::MAX, 0)).is_lt()
    }

    /// The value at `places` decimal places, rounded away from zero, held within 64 bits.
    pub(super) fn scaled_saturating(&self, places: i64) -> i64 {
        let mut rounded = self.clone();
        rounded.round_up(places);
        rounded.exponent += places;
        if rounded.compare(&Decimal::from_i64(i64::MAX, 0)).is_ge() {
            i64::MAX
        } else if rounded.compare(&Decimal::from_i64(i64::MIN, 0)).is_le() {
            i64::MIN
        } else {
            low_bits(&rounded.digits, rounded.exponent, rounded.negative)
        }
    }
}

/// The low 64 bits of `±digits * 10^exponent` in two's complement; `exponent` is not negative.
fn low_bits(digits: &[u8], exponent: i64, negative: bool) -> i64 {
    let push = |sum: u64, digit: &u8| sum.wrapping_mul(10).wrapping_add(u64::from(*digit));
    let value = digits.iter().fold(0, push);
    // 10^64 is a multiple of 2^64.
    let power = u32::try_from(exponent.clamp(0, 64)).unwrap_or(0);
    let value = value.wrapping_mul(10_u64.wrapping_pow(power)).cast_signed();
    if negative { value.wrapping_neg() } else { value }
}

fn increment(mut digits: Vec<u8>) -> Vec<u8> {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return digits;
        }
        *digit = 0;
    }
    digits.insert(0, 1);
    digits
}

/// Adds two numbers given least digit first; the sum has its first digit first.
fn add_digits(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut out = Vec::with_capacity(a.len().max(b.len()) + 1);
    for i in 0..a.len().max(b.len()) {
        let digit = a.get(i).unwrap_or(&0) + b.get(i).unwrap_or(&0) + carry;
        out.push(digit % 10);
        carry = digit / 10;
    }
    out.push(carry);
    out.reverse();
    out
}

/// Subtracts `b` from an `a` that is not smaller; digit order as in `add_digits`.
fn subtract_digits(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut out = Vec::with_capacity(a.len());
    for (i, digit) in a.iter().enumerate() {
        let take = b.get(i).unwrap_or(&0) + borrow;
        borrow = u8::from(*digit < take);
        out.push(digit + borrow * 10 - take);
    }
    out.reverse();
    out
}

fn divide_1024(digits: &[u8]) -> (Vec<u8>, u32) {
    let mut remainder = 0_u32;
    let mut out = Vec::with_capacity(digits.len());
    for &digit in digits {
        remainder = remainder * 10 + u32::from(digit);
        let next = (remainder / 1024) as u8;
        if next > 0 || !out.is_empty() {
            out.push(next);
        }
        remainder %= 1024;
    }
    (out, remainder)
}
