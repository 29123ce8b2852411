//! The sixteen octets before every body (SMPP 5.0, 3.2).

use bytes::{BufMut as _, BytesMut};

use crate::{CommandId, Status};

/// What every PDU says of itself, its length aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// Which operation.
    pub command_id: CommandId,
    /// How the request went; zero in requests.
    pub status: Status,
    /// Names the request, and its response after it; any value of a peer is echoed.
    pub sequence: u32,
}

impl Header {
    /// Octets on the wire, the length's own four included.
    pub const LENGTH: usize = 16;

    /// Reads the header, and the `command_length` that it says.
    #[must_use]
    pub fn read(octets: &[u8]) -> Option<(u32, Self)> {
        let (header, _) = octets.split_first_chunk::<{ Self::LENGTH }>()?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *header;
        Some((
            u32::from_be_bytes([a, b, c, d]),
            Self {
                command_id: CommandId(u32::from_be_bytes([e, f, g, h])),
                status: Status(u32::from_be_bytes([i, j, k, l])),
                sequence: u32::from_be_bytes([m, n, o, p]),
            },
        ))
    }

    /// Writes it with a length that is filled in later.
    pub(crate) fn write(self, out: &mut BytesMut) {
        out.put_u32(0);
        out.put_u32(self.command_id.0);
        out.put_u32(self.status.0);
        out.put_u32(self.sequence);
    }
}
