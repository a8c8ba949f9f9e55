//! Reads and writes the heads of CBOR items: major type, argument, and what the form says of it.

use super::CborError;

/// The bytes of a value and how far they were read.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

/// The head of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Where it begins.
    pub(super) at: usize,
    /// The major type.
    pub(super) major: u8,
    /// The low five bits of its first byte.
    pub(super) info: u8,
    /// Its argument; 0 when the length is indefinite.
    pub(super) argument: u64,
}

/// The additional information that says that a break ends the item.
pub(super) const INDEFINITE: u8 = 31;
/// The byte that ends an item of indefinite length.
pub(super) const BREAK: u8 = 0xFF;

impl Head {
    pub(super) fn is_indefinite(&self) -> bool {
        self.info == INDEFINITE
    }

    /// Whether the argument is written as short as it can be. Not for floats.
    pub(super) fn is_shortest(&self) -> bool {
        match self.info {
            0..=23 => true,
            24 => self.argument > 23,
            25 => self.argument > 0xFF,
            26 => self.argument > 0xFFFF,
            27 => self.argument > 0xFFFF_FFFF,
            _ => false,
        }
    }

    pub(super) fn malformed(&self, reason: &'static str) -> CborError {
        CborError::Malformed {
            at: self.at,
            reason,
        }
    }
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn truncated(&self) -> CborError {
        CborError::Truncated {
            at: self.bytes.len(),
        }
    }

    pub(super) fn head(&mut self) -> Result<Head, CborError> {
        let at = self.at;
        let first = *self.bytes.get(at).ok_or_else(|| self.truncated())?;
        self.at += 1;
        let (major, info) = (first >> 5, first & 31);
        let head = |argument| Head {
            at,
            major,
            info,
            argument,
        };
        let argument = match info {
            0..=23 => u64::from(info),
            24..=27 => self
                .take(1 << (info - 24))?
                .iter()
                .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)),
            INDEFINITE if matches!(major, 2..=5) => 0,
            INDEFINITE if major == 7 => return Err(head(0).malformed("nothing is open to end")),
            INDEFINITE => return Err(head(0).malformed("such an item has no indefinite length")),
            _ => return Err(head(0).malformed("this length of an argument is reserved")),
        };
        if major == 7 && info == 24 && argument < 32 {
            return Err(head(0).malformed("a simple value below 32 is written in one byte"));
        }
        Ok(head(argument))
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: u64) -> Result<&'a [u8], CborError> {
        let left = (self.bytes.len() - self.at) as u64;
        if len > left {
            return Err(self.truncated());
        }
        let from = self.at;
        self.at += len as usize;
        Ok(&self.bytes[from..self.at])
    }

    /// Whether a break comes next, which is then taken.
    pub(super) fn ends(&mut self) -> bool {
        let ends = self.bytes.get(self.at) == Some(&BREAK);
        self.at += usize::from(ends);
        ends
    }

    /// The bytes of a string of definite length; text is checked.
    pub(super) fn string(&mut self, head: Head) -> Result<&'a [u8], CborError> {
        let bytes = self.take(head.argument)?;
        if head.major == 3 && std::str::from_utf8(bytes).is_err() {
            return Err(CborError::Utf8 { at: head.at });
        }
        Ok(bytes)
    }

    /// The next piece of a string of indefinite length; none at its end.
    pub(super) fn piece(&mut self, string: Head) -> Result<Option<&'a [u8]>, CborError> {
        if self.ends() {
            return Ok(None);
        }
        let head = self.head()?;
        if head.major != string.major || head.is_indefinite() {
            return Err(head.malformed("a string consists of strings of its kind"));
        }
        self.string(head).map(Some)
    }

    /// Checks that nothing follows.
    pub(super) fn finish(&self) -> Result<(), CborError> {
        let extra = self.bytes.len() - self.at;
        if extra == 0 {
            Ok(())
        } else {
            Err(CborError::Trailing { at: self.at, extra })
        }
    }
}

/// Whether tag `tag` is a big number, whose content must be a byte string.
pub(super) fn is_big_number(tag: u64) -> bool {
    matches!(tag, 2 | 3)
}

/// Appends a head in its shortest form.
pub(super) fn write(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xFF => out.extend_from_slice(&[major | 24, argument as u8]),
        0x100..=0xFFFF => {
            out.push(major | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xFFFF_FFFF => {
            out.push(major | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

/// The value of a float's head.
pub(super) fn float(head: Head) -> f64 {
    match head.info {
        25 => half(head.argument as u16),
        26 => f64::from(f32::from_bits(head.argument as u32)),
        _ => f64::from_bits(head.argument),
    }
}

/// The value of a half-precision float (IEEE 754 binary16).
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3FF));
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

/// The bits of `value` in half precision, if that is exact. Not for NaN.
fn to_half(value: f64) -> Option<u16> {
    let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
    let size = value.abs();
    let bits = if size == 0.0 {
        0
    } else if size.is_infinite() {
        0x7C00
    } else if size < 2_f64.powi(-14) {
        // Below the smallest normal number all numbers are multiples of 2^-24.
        let units = size * 2_f64.powi(24);
        if units.fract() != 0.0 || units < 1.0 {
            return None;
        }
        units as u16
    } else {
        let exponent = ((size.to_bits() >> 52) as i32) - 1023;
        let fraction = size.to_bits() & ((1 << 52) - 1);
        if exponent > 15 || fraction & ((1 << 42) - 1) != 0 {
            return None;
        }
        ((exponent + 15) as u16) << 10 | (fraction >> 42) as u16
    };
    Some(sign | bits)
}

/// Appends a float in the shortest form that keeps its value; NaN has one form.
pub(super) fn write_float(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        return out.extend_from_slice(&[0xF9, 0x7E, 0x00]);
    }
    if let Some(bits) = to_half(value) {
        out.push(0xF9);
        return out.extend_from_slice(&bits.to_be_bytes());
    }
    let single = value as f32;
    if f64::from(single) == value {
        out.push(0xFA);
        return out.extend_from_slice(&single.to_bits().to_be_bytes());
    }
    out.push(0xFB);
    out.extend_from_slice(&value.to_bits().to_be_bytes());
}

/// Whether a float is written as [`write_float`] writes it.
pub(super) fn is_shortest_float(head: Head) -> bool {
    let value = float(head);
    if value.is_nan() {
        return head.info == 25 && head.argument == 0x7E00;
    }
    match head.info {
        25 => true,
        26 => to_half(value).is_none(),
        _ => to_half(value).is_none() && f64::from(value as f32) != value,
    }
}
