//! Where one PDU ends and the next begins.

use bytes::{Bytes, BytesMut};

use crate::Header;

/// A PDU cut out of the stream, its body not yet looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it says of itself.
    pub header: Header,
    /// The octets after the header.
    pub body: Bytes,
}

/// A `command_length` after which nobody can say where the next PDU begins: answered with
/// `generic_nack`, `ESME_RINVCMDLEN`, and the end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a command_length of {length} octets is outside 16 to {limit}")]
pub struct BadLength {
    /// The length as written.
    pub length: u32,
    /// The longest that is read.
    pub limit: usize,
    /// The `sequence_number` to answer with; zero when it has not come.
    pub sequence: u32,
}

/// Takes the first PDU off the front of what has come; `None` when it has not come whole.
///
/// # Errors
/// [`BadLength`], before any octet of the body is waited for.
pub fn cut(stream: &mut BytesMut, limit: usize) -> Result<Option<Frame>, BadLength> {
    let Some(&[a, b, c, d]) = stream.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([a, b, c, d]);
    let header = Header::read(stream);
    let octets = usize::try_from(length).unwrap_or(usize::MAX);
    if !(Header::LENGTH..=limit.max(Header::LENGTH)).contains(&octets) {
        let sequence = header.map_or(0, |(_, header)| header.sequence);
        return Err(BadLength {
            length,
            limit,
            sequence,
        });
    }
    let Some((_, header)) = header.filter(|_| stream.len() >= octets) else {
        return Ok(None);
    };
    let mut pdu = stream.split_to(octets).freeze();
    let body = pdu.split_off(Header::LENGTH);
    Ok(Some(Frame { header, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two PDUs that arrive octet by octet.
    #[test]
    fn pdus_are_cut_wherever_the_stream_is() {
        let two =
            b"\0\0\0\x10\0\0\0\x15\0\0\0\0\x0a\x34\x2e\xe7\0\0\0\x12\0\0\0\x04\0\0\0\0\0\0\0\x01ab";
        let mut stream = BytesMut::new();
        let mut frames = Vec::new();
        for octet in two {
            stream.extend_from_slice(&[*octet]);
            frames.extend(cut(&mut stream, 18).unwrap());
        }
        let bodies: Vec<&[u8]> = frames.iter().map(|frame| &frame.body[..]).collect();
        assert_eq!(bodies, [&b""[..], b"ab"]);
        assert_eq!(frames.first().unwrap().header.sequence, 171_192_039);
        assert!(stream.is_empty());
    }

    #[test]
    fn impossible_lengths_are_refused_at_once_with_the_sequence_number_if_it_is_there() {
        for (octets, sequence) in [
            (&b"\0\0\0\x0f"[..], 0),
            (b"\0\0\0\x13\0\0\0\x04\0\0\0\0\0\0\0\x07", 7),
            (b"\xff\xff\xff\xff", 0),
        ] {
            let bad = cut(&mut BytesMut::from(octets), 18).unwrap_err();
            assert_eq!(bad.sequence, sequence, "{octets:?}");
        }
    }
}
