//! Standard base64 as Go's encoding/base64 decodes it: padding required, CR and LF ignored.

/// Decodes; the error is the offset of the first bad input byte, as Go reports it.
pub fn decode(input: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(input.len() / 4 * 3);
    let mut group = [0_u8; 4];
    let mut filled = 0;
    let mut at = 0;
    while at < input.len() {
        let byte = input[at];
        match byte {
            b'\r' | b'\n' => {}
            b'=' => return finish(input, at, &group, filled, out),
            _ => {
                group[filled] = digit(byte).ok_or(at)?;
                filled += 1;
                if filled == 4 {
                    out.extend_from_slice(&[
                        group[0] << 2 | group[1] >> 4,
                        group[1] << 4 | group[2] >> 2,
                        group[2] << 6 | group[3],
                    ]);
                    filled = 0;
                }
            }
        }
        at += 1;
    }
    // Go points to the start of the unfinished group.
    if filled == 0 { Ok(out) } else { Err(input.len() - filled) }
}

/// Reads the padding and whatever may still follow it.
fn finish(input: &[u8], at: usize, group: &[u8; 4], filled: usize, mut out: Vec<u8>) -> Result<Vec<u8>, usize> {
    let mut next = at + 1;
    let skip_newlines = |next: &mut usize| {
        while matches!(input.get(*next), Some(b'\r' | b'\n')) {
            *next += 1;
        }
    };
    match filled {
        2 => {
            skip_newlines(&mut next);
            match input.get(next) {
                None => return Err(input.len()),
                Some(b'=') => next += 1,
                // Go names the byte before the one that should have been padding.
                Some(_) => return Err(next - 1),
            }
            out.push(group[0] << 2 | group[1] >> 4);
        }
        3 => out.extend_from_slice(&[group[0] << 2 | group[1] >> 4, group[1] << 4 | group[2] >> 2]),
        _ => return Err(at),
    }
    skip_newlines(&mut next);
    if next < input.len() { Err(next) } else { Ok(out) }
}

fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// Encodes with padding, without line breaks.
pub fn encode(input: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(input.len().div_ceil(3) * 4);
    for chunk in input.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_encoded_decodes() {
        for text in ["", "a", "ab", "abc", "root!", "ünï"] {
            assert_eq!(super::decode(super::encode(text.as_bytes()).as_bytes()).as_deref(), Ok(text.as_bytes()));
        }
        assert_eq!(super::encode(b"ab"), "YWI=");
    }
}
