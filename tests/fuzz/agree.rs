//! What is asked of any bytes: neither walk panics, and the fast one and the plain one come to the
//! same result, also after the fast one has learned from the lines before.

use tollkeeper::decode::{Decoder, is_blank};

pub(crate) fn agree(data: &[u8]) {
    let attributes = ["team".to_owned()];
    let (mut fast, mut plain) = (Decoder::new(&attributes), Decoder::plain(&attributes));
    // A record may take several lines, and then it comes as one.
    assert_eq!(items(&mut fast, data), items(&mut plain, data));
    for line in data.split(|&byte| byte == b'\n').filter(|line| !is_blank(line)) {
        assert_eq!(fast.decode(line), plain.decode(line));
        assert_eq!(items(&mut fast, line), items(&mut plain, line));
    }
}

/// Everything that a decoder shows of a line, as text.
fn items(decoder: &mut Decoder, line: &[u8]) -> Vec<String> {
    let mut items = Vec::new();
    decoder.each(line, &mut |item| items.push(format!("{item:?}")));
    items
}
