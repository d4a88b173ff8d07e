//! GPT-2's spelling of bytes.

/// The character that stands for each byte in a byte-level vocabulary: printable ones themselves, the others from U+0100 on.
pub fn byte_alphabet() -> Vec<char> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 0x100;
    (0..=255u8)
        .map(|byte| match printable(&byte) {
            true => char::from(byte),
            false => {
                next += 1;
                char::from_u32(next - 1).unwrap()
            }
        })
        .collect()
}
