//! Kubernetes quantities, exact: `500m`, `1.5Gi`, `1e3`, `2M`.
//!
//! Grammar: sign, digits with an optional point, then one of `n u m k M G T P E`, `Ki Mi Gi Ti Pi Ei`, an exponent
//! (`e3`, `E-3`) or nothing. As in Kubernetes, what is finer than a billionth is rounded up to it, and binary quantities
//! stop at 2⁶³-1. A quantity prints in canonical form and in the format it was written in, where that is exact.
//!
//! Differs: of more than 36 significant digits the lower ones are dropped.

use std::{cmp::Ordering, fmt};

/// Which suffixes a quantity is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `n u m k M G T P E` or none.
    DecimalSi,
    /// `Ki Mi Gi Ti Pi Ei`.
    BinarySi,
    /// `e3`.
    DecimalExponent,
}

/// A quantity: `mantissa × 10^scale`.
///
/// The scale is kept as written (`1.5` is 15 × 10⁻¹), because division cuts at the scale of its operands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity {
    mantissa: i128,
    scale: i32,
    format: Format,
}

/// Scale of the smallest quantity, a billionth.
const NANO: i32 = -9;
/// Digits that are kept.
const MAX_DIGITS: u32 = 36;

/// Reads a quantity; `None` when the text is none.
///
/// Kubernetes: digits may be missing altogether, so `m`, `E`, `.` and `-` are zero.
pub(crate) fn parse(text: &str) -> Option<Quantity> {
    let (negative, unsigned) = match text.as_bytes() {
        [] => return None,
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut digits = Digits::default();
    let whole_len = digits.read(unsigned);
    let whole_digits = digits.seen.max(1);
    let mut rest = &unsigned[whole_len..];
    let mut fraction_len = 0;
    if let [b'.', after @ ..] = rest {
        fraction_len = digits.read(after);
        rest = &after[fraction_len..];
    }
    let (binary_power, exponent, mut format) = suffix(rest)?;

    // Kubernetes has a short way for few digits and a long way that leaves every value in billionths.
    let long_way = if binary_power == 0 {
        whole_digits + fraction_len > 18
    } else {
        fraction_len > 0 || whole_digits + binary_power as usize * 3 / 10 > 14
    };
    let mut mantissa = digits.mantissa;
    let scale = digits.dropped as i64 - fraction_len as i64 + i64::from(exponent);
    let mut scale = scale.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
    if binary_power > 0 {
        let power = 1i128 << binary_power;
        // What does not fit after the multiplication lies far above the cap below, or far below a billionth.
        mantissa = mantissa.checked_mul(power).unwrap_or_else(|| {
            scale = scale.saturating_add(19);
            mantissa / 10i128.pow(19) * power
        });
    }
    if scale < NANO {
        mantissa = round_up(mantissa, scale);
        scale = NANO;
    } else if long_way
        && mantissa != 0
        && let Some(finer) = power_of_ten(scale.abs_diff(NANO)).and_then(|it| mantissa.checked_mul(it))
    {
        (mantissa, scale) = (finer, NANO);
    }
    if format == Format::BinarySi && long_way {
        let value = Quantity { mantissa, scale, format };
        if value.compare(Quantity::from(i64::MAX)) == Ordering::Greater {
            (mantissa, scale) = (i128::from(i64::MAX), 0);
        }
        if mantissa > 0 && value.compare(Quantity::from(1)) == Ordering::Less {
            format = Format::DecimalSi;
        }
    }
    Some(Quantity { mantissa: if negative { -mantissa } else { mantissa }, scale, format })
}

/// The digits read so far.
#[derive(Default)]
struct Digits {
    mantissa: i128,
    /// Digits from the first that is not zero.
    seen: usize,
    /// Digits beyond [`MAX_DIGITS`].
    dropped: usize,
}

impl Digits {
    /// Reads the digits at the beginning of `text` and returns their number.
    fn read(&mut self, text: &[u8]) -> usize {
        let len = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
        for digit in &text[..len] {
            if self.seen >= MAX_DIGITS as usize {
                self.dropped += 1;
            } else {
                self.mantissa = self.mantissa * 10 + i128::from(digit - b'0');
            }
            self.seen += usize::from(self.mantissa != 0);
        }
        len
    }
}

/// The power of two, the power of ten and the format of a suffix.
fn suffix(text: &[u8]) -> Option<(u32, i32, Format)> {
    let decimal = |exponent| Some((0, exponent, Format::DecimalSi));
    let binary = |power| Some((power, 0, Format::BinarySi));
    match text {
        b"" => decimal(0),
        b"n" => decimal(-9),
        b"u" => decimal(-6),
        b"m" => decimal(-3),
        b"k" => decimal(3),
        b"M" => decimal(6),
        b"G" => decimal(9),
        b"T" => decimal(12),
        b"P" => decimal(15),
        b"E" => decimal(18),
        b"Ki" => binary(10),
        b"Mi" => binary(20),
        b"Gi" => binary(30),
        b"Ti" => binary(40),
        b"Pi" => binary(50),
        b"Ei" => binary(60),
        [b'e' | b'E', exponent @ ..] => {
            let exponent: i64 = std::str::from_utf8(exponent).ok()?.parse().ok()?;
            // Kubernetes: the exponent is cut to 32 bits.
            Some((0, exponent as i32, Format::DecimalExponent))
        }
        _ => None,
    }
}

/// `mantissa × 10^scale` in billionths, rounded away from zero.
fn round_up(mantissa: i128, scale: i32) -> i128 {
    let Some(divisor) = power_of_ten(scale.abs_diff(NANO)) else { return mantissa.signum() };
    mantissa / divisor + (mantissa % divisor).signum()
}

/// `10^exponent`, if it fits.
fn power_of_ten(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

impl From<i64> for Quantity {
    fn from(value: i64) -> Self {
        Self { mantissa: i128::from(value), scale: 0, format: Format::DecimalSi }
    }
}

impl Quantity {
    /// A float in its shortest decimal form; `None` when it is not finite or of too many digits.
    pub(crate) fn from_f64(value: f64) -> Option<Self> {
        if value.fract() == 0.0 && value.abs() < 1e15 {
            return Some(Self { mantissa: value as i128, scale: 0, format: Format::DecimalSi });
        }
        if !value.is_finite() {
            return None;
        }
        // The shortest form of a float has at most 17 digits.
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e')?;
        let exponent: i32 = exponent.parse().ok()?;
        let fraction_len = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len()) as i32;
        let mantissa: i128 = digits.replace('.', "").parse().ok()?;
        Some(Self { mantissa, scale: exponent - fraction_len, format: Format::DecimalSi })
    }

    /// The float that Go's `%f` prints: cut to six decimals by rounding to the nearest.
    pub(crate) fn from_fixed(value: f64) -> Option<Self> {
        if value.fract() == 0.0 && value.abs() < 1e15 { Self::from_f64(value) } else { parse(&format!("{value:.6}")) }
    }

    /// Compares the values; formats do not count.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        if self.scale == other.scale || self.mantissa == 0 || other.mantissa == 0 {
            return self.mantissa.cmp(&other.mantissa);
        }
        if self.scale < other.scale {
            return other.compare(self).reverse();
        }
        match power_of_ten(self.scale.abs_diff(other.scale)).and_then(|it| self.mantissa.checked_mul(it)) {
            Some(mantissa) => mantissa.cmp(&other.mantissa),
            // At the finer scale it does not fit, so its magnitude is beyond that of the other.
            None => self.mantissa.cmp(&0),
        }
    }

    /// The nearest float.
    pub(crate) fn as_f64(self) -> f64 {
        format!("{}e{}", self.mantissa, self.scale).parse().unwrap_or(f64::NAN)
    }

    /// The sum in the format of `self`, or of `other` when `self` is zero; `None` when it does not fit.
    pub(crate) fn add(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.align(other)?;
        Some(Self { mantissa: a.checked_add(b)?, scale, format: self.format_with(other) })
    }

    /// The difference in the format of `self`, or of `other` when `self` is zero; `None` when it does not fit.
    pub(crate) fn sub(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.align(other)?;
        Some(Self { mantissa: a.checked_sub(b)?, scale, format: self.format_with(other) })
    }

    /// The product with a number, in the format of `self`; `None` when it does not fit.
    pub(crate) fn mul(self, factor: f64) -> Option<Self> {
        let factor = Self::from_f64(factor)?.trimmed();
        let this = self.trimmed();
        let product = Self {
            mantissa: this.mantissa.checked_mul(factor.mantissa)?,
            scale: this.scale.checked_add(factor.scale)?,
            format: self.format,
        };
        Some(product.rounded())
    }

    /// The quotient by a number, cut at the larger number of decimals of the two, in the format of `self`. `None` for a
    /// zero divisor and when it does not fit.
    pub(crate) fn div(self, divisor: f64) -> Option<Self> {
        let divisor = Self::from_f64(divisor)?;
        if divisor.mantissa == 0 {
            return None;
        }
        let scale = self.scale.min(divisor.scale);
        // self / divisor / 10^scale, in integers.
        let shift = i64::from(self.scale) - i64::from(divisor.scale) - i64::from(scale);
        let power = power_of_ten(u32::try_from(shift.unsigned_abs()).ok()?);
        let mantissa = if shift >= 0 {
            self.mantissa.checked_mul(power?)? / divisor.mantissa
        } else {
            match power.and_then(|it| divisor.mantissa.checked_mul(it)) {
                Some(whole) => self.mantissa / whole,
                None => 0,
            }
        };
        Some(Self { mantissa, scale, format: self.format }.rounded())
    }

    /// How often `other` goes into `self`; `None` for a zero divisor.
    pub(crate) fn ratio(self, other: Self) -> Option<f64> {
        if other.mantissa == 0 {
            return None;
        }
        let exact = self.align(other).filter(|(a, b, _)| a % b == 0).map(|(a, b, _)| (a / b) as f64);
        Some(exact.unwrap_or_else(|| self.as_f64() / other.as_f64()))
    }

    /// The remainder of two integers in the format of `self`; `None` for a zero divisor, and when one is no integer.
    pub(crate) fn rem(self, other: Self) -> Option<Self> {
        let (a, b) = (self.integer()?, other.integer()?);
        Some(Self { mantissa: a.checked_rem(b)?, scale: 0, format: self.format })
    }

    /// Whether the value is zero.
    pub(crate) fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The integer, when it was written without fraction and fits 64 bits. `1000m` and `1.0` are written with one.
    pub(crate) fn as_i64(self) -> Option<i64> {
        let power = power_of_ten(u32::try_from(self.scale).ok()?)?;
        i64::try_from(self.mantissa.checked_mul(power)?).ok()
    }

    /// Whether the value has no fraction.
    pub(crate) fn is_integer(self) -> bool {
        self.mantissa == 0 || self.trimmed().scale >= 0
    }

    fn format_with(self, other: Self) -> Format {
        if self.is_zero() { other.format } else { self.format }
    }

    fn integer(self) -> Option<i128> {
        if self.mantissa == 0 {
            return Some(0);
        }
        let power = power_of_ten(self.scale.unsigned_abs());
        if self.scale >= 0 {
            self.mantissa.checked_mul(power?)
        } else {
            power.filter(|it| self.mantissa % it == 0).map(|it| self.mantissa / it)
        }
    }

    /// Both mantissas at the finer of the two scales.
    fn align(self, other: Self) -> Option<(i128, i128, i32)> {
        let scale = self.scale.min(other.scale);
        let at = |it: Self| {
            if it.mantissa == 0 {
                return Some(0);
            }
            power_of_ten(it.scale.abs_diff(scale)).and_then(|power| it.mantissa.checked_mul(power))
        };
        Some((at(self)?, at(other)?, scale))
    }

    /// The same value with no zero at the end of its mantissa.
    fn trimmed(mut self) -> Self {
        if self.mantissa == 0 {
            return Self { scale: 0, ..self };
        }
        while self.mantissa % 10 == 0 && self.scale < i32::MAX {
            self.mantissa /= 10;
            self.scale += 1;
        }
        self
    }

    fn rounded(self) -> Self {
        if self.scale < NANO {
            return Self { mantissa: round_up(self.mantissa, self.scale), scale: NANO, ..self };
        }
        self
    }
}

/// Quantities are equal when their values are.
impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.compare(*other) == Ordering::Equal
    }
}

/// The canonical form: an integer with the largest suffix that leaves one.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mantissa == 0 {
            return f.write_str("0");
        }
        if self.format == Format::BinarySi
            && let Some(mut value) = self.integer()
            && value.unsigned_abs() >= 1024
        {
            const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
            let mut power = 0;
            while power < SUFFIXES.len() - 1 && value % 1024 == 0 {
                value /= 1024;
                power += 1;
            }
            return write!(f, "{value}{}", SUFFIXES[power]);
        }
        let Self { mut mantissa, mut scale, .. } = self.trimmed();
        // The exponent goes down to a multiple of three; the mantissa has room for two more digits, as its zeros are gone.
        while scale % 3 != 0 {
            match mantissa.checked_mul(10) {
                Some(next) => (mantissa, scale) = (next, scale - 1),
                None => break,
            }
        }
        write!(f, "{mantissa}")?;
        if self.format == Format::DecimalExponent {
            return if scale == 0 { Ok(()) } else { write!(f, "e{scale}") };
        }
        // Kubernetes: beyond `E` there is no suffix, and none is printed.
        f.write_str(match scale {
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
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quantity(text: &str) -> Quantity {
        parse(text).expect(text)
    }

    #[test]
    fn canonical_forms() {
        for (text, expected) in [
            ("0", "0"),
            ("00", "0"),
            ("+", "0"),
            ("-.", "0"),
            ("m", "0"),
            ("Ki", "0"),
            ("1.", "1"),
            ("1.Ki", "1Ki"),
            (".5", "500m"),
            (".5Gi", "512Mi"),
            ("1.5Gi", "1536Mi"),
            ("1.50", "1500m"),
            ("001", "1"),
            ("1e3", "1e3"),
            ("1E3", "1e3"),
            ("1E", "1E"),
            ("1e+3", "1e3"),
            ("1e-3", "1e-3"),
            ("1e400", "10e399"),
            ("1e-400", "1e-9"),
            ("1e9999999999", "10e1410065406"),
            ("12Ei", "9223372036854775807"),
            ("-8Ei", "-9223372036854775807"),
            ("7.9Ei", "9108079886394091110400m"),
            (".01Ki", "10240m"),
            ("0.0001Ki", "102400u"),
            ("-0.0001Ki", "-102400u"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.1234567891", "1123456790n"),
            ("-1.1234567891", "-1123456790n"),
            ("9E", "9E"),
            ("1000E", "1"),
            ("1234567890123456Ki", "1234567890123456Ki"),
            ("1000000000000000000000Ki", "9223372036854775807"),
            ("1.5n", "2n"),
            ("0.1n", "1n"),
            ("0Ki", "0"),
            ("1.5e3", "1500"),
            ("1500e3", "1500e3"),
            ("100Mi", "100Mi"),
            ("1536Ki", "1536Ki"),
            ("1000m", "1"),
            ("0.000000000000000000000000000000000001", "1n"),
        ] {
            assert_eq!(quantity(text).to_string(), expected, "{text}");
        }
        for text in
            ["", "1e", "1e--3", "1Ki1", "1_000", "1Mi ", "1mi", "1K", "abc", "1.2.3", " 1", "1e99999999999999999999"]
        {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn comparison() {
        for (a, order, b) in [
            ("1Gi", Ordering::Equal, "1024Mi"),
            ("1000m", Ordering::Equal, "1"),
            ("1e3", Ordering::Equal, "1000"),
            ("1k", Ordering::Equal, "1000"),
            ("1500m", Ordering::Greater, "1"),
            ("90", Ordering::Greater, "1m"),
            ("-1", Ordering::Less, "1n"),
            ("1e400", Ordering::Greater, "1E"),
            ("-1e400", Ordering::Less, "1n"),
            ("0", Ordering::Equal, "-0Ki"),
        ] {
            assert_eq!(quantity(a).compare(quantity(b)), order, "{a} {b}");
            assert_eq!(quantity(b).compare(quantity(a)), order.reverse(), "{b} {a}");
        }
    }

    #[test]
    fn arithmetic() {
        let add = |a, b| quantity(a).add(quantity(b)).map(|it| it.to_string());
        assert_eq!(add("1", "2").as_deref(), Some("3"));
        assert_eq!(add("500m", "500m").as_deref(), Some("1"));
        assert_eq!(add("1.5", "1").as_deref(), Some("2500m"));
        assert_eq!(add("1000Mi", "24Mi").as_deref(), Some("1Gi"));
        assert_eq!(add("1", "1Gi").as_deref(), Some("1073741825"));
        assert_eq!(add("0", "1Gi").as_deref(), Some("1Gi"));
        assert_eq!(quantity("1Gi").sub(quantity("1Mi")).map(|it| it.to_string()).as_deref(), Some("1023Mi"));
        assert_eq!(quantity("1Ki").mul(0.3).map(|it| it.to_string()).as_deref(), Some("307200m"));
        assert_eq!(quantity("1Gi").div(3.0).map(|it| it.to_string()).as_deref(), Some("357913941"));
        assert_eq!(quantity("1Gi").div(0.0).map(|it| it.to_string()), None);
        assert_eq!(quantity("1k").div(3.0).map(|it| it.to_string()).as_deref(), Some("333"));
        assert_eq!(quantity("1Gi").ratio(quantity("256Mi")), Some(4.0));
        assert_eq!(quantity("10Gi").rem(quantity("3Gi")).map(|it| it.to_string()).as_deref(), Some("1Gi"));
        assert!(quantity("1500m").rem(quantity("1")).is_none());
        assert!(quantity("1").rem(quantity("0")).is_none());
    }

    proptest! {
        #[test]
        fn canonical_forms_read_back(text in "[-+]?[0-9]{1,12}(\\.[0-9]{1,6})?(|n|u|m|k|M|G|Ki|Mi|Gi|Ti|e3|E-2|e7)") {
            let value = quantity(&text);
            prop_assert_eq!(quantity(&value.to_string()), value);
        }

        #[test]
        fn sums_undo(a in any::<i32>(), b in any::<i32>()) {
            let (a, b) = (quantity(&format!("{a}m")), quantity(&format!("{b}Ki")));
            prop_assert_eq!(a.add(b).and_then(|it| it.sub(b)), Some(a));
        }

        #[test]
        fn never_panics(text in "[-+.0-9eEinumkKMGTP]{0,48}", factor in any::<f64>()) {
            if let Some(value) = parse(&text) {
                let _ = (value.to_string(), value.as_f64());
                let _ = (value.mul(factor), value.div(factor), value.add(value), value.rem(value), value.ratio(value));
            }
        }
    }
}
