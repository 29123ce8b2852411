//! How each kind of field is read and written.

use bytes::{BufMut as _, BytesMut};

use crate::Status;
use crate::address::{Address, Destination, Destinations, Unsuccesses, Unsuccessful};
use crate::error::{Fault, Problem};
use crate::flags::{EsmClass, RegisteredDelivery};
use crate::reader::{Reader, Rule};
use crate::text::{ShortMessage, Text};
use crate::visit::Value;

/// A kind of field.
pub(super) trait Field: Sized {
    fn read(reader: &mut Reader<'_>, rule: &Rule) -> Result<Self, Fault>;
    fn write(&self, out: &mut BytesMut);
    fn value(&self) -> Value<'_>;
}

impl Field for u8 {
    fn read(reader: &mut Reader<'_>, rule: &Rule) -> Result<Self, Fault> {
        reader.octet(rule)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_u8(*self);
    }

    fn value(&self) -> Value<'_> {
        Value::Number((*self).into())
    }
}

macro_rules! octet {
    ($($name:ident)*) => {$(
        impl Field for $name {
            fn read(reader: &mut Reader<'_>, rule: &Rule) -> Result<Self, Fault> {
                reader.octet(rule).map(Self)
            }

            fn write(&self, out: &mut BytesMut) {
                out.put_u8(self.0);
            }

            fn value(&self) -> Value<'_> {
                Value::Number(self.0.into())
            }
        }
    )*};
}
octet! { EsmClass RegisteredDelivery }

impl Field for Text {
    fn read(reader: &mut Reader<'_>, rule: &Rule) -> Result<Self, Fault> {
        reader.until_zero(rule).map(Self::checked)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_slice(self.octets());
        out.put_u8(0);
    }

    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Field for ShortMessage {
    fn read(reader: &mut Reader<'_>, rule: &Rule) -> Result<Self, Fault> {
        let length = reader.octet(rule)?;
        reader.take(length.into(), rule).map(Self::checked)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_u8(self.length());
        out.put_slice(self.octets());
    }

    fn value(&self) -> Value<'_> {
        Value::Octets(self.octets())
    }
}

impl Field for Address {
    fn read(reader: &mut Reader<'_>, rule: &Rule) -> Result<Self, Fault> {
        Ok(Self {
            ton: reader.octet(rule)?,
            npi: reader.octet(rule)?,
            value: Text::read(reader, rule)?,
        })
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_u8(self.ton);
        out.put_u8(self.npi);
        self.value.write(out);
    }

    fn value(&self) -> Value<'_> {
        Value::Address(self)
    }
}

impl Field for Destinations {
    fn read(reader: &mut Reader<'_>, rule: &Rule) -> Result<Self, Fault> {
        let count = reader.octet(rule)?;
        let all = (0..count).map(|_| read_destination(reader, rule));
        all.collect::<Result<_, _>>().map(Self::checked)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_u8(u8::try_from(self.all().len()).unwrap_or(u8::MAX));
        for destination in self.all() {
            match destination {
                Destination::Sme(address) => {
                    out.put_u8(1);
                    address.write(out);
                }
                Destination::List(name) => {
                    out.put_u8(2);
                    name.write(out);
                }
            }
        }
    }

    fn value(&self) -> Value<'_> {
        Value::Destinations(self)
    }
}

fn read_destination(reader: &mut Reader<'_>, rule: &Rule) -> Result<Destination, Fault> {
    let flag = Rule {
        name: "dest_flag",
        ..*rule
    };
    match reader.octet(&flag)? {
        1 => Address::read(reader, rule).map(Destination::Sme),
        2 => {
            let name = Rule {
                name: "dl_name",
                most: 21,
                status: Status::RINVDLNAME,
            };
            Text::read(reader, &name).map(Destination::List)
        }
        value => Err(reader.fault(&flag, Problem::Value { value }, Status::RINVDESTFLAG)),
    }
}

impl Field for Unsuccesses {
    fn read(reader: &mut Reader<'_>, rule: &Rule) -> Result<Self, Fault> {
        let count = reader.octet(rule)?;
        let all = (0..count).map(|_| {
            Ok(Unsuccessful {
                address: Address::read(reader, rule)?,
                status: Status(u32::from_be_bytes(reader.array(rule)?)),
            })
        });
        all.collect::<Result<_, _>>().map(Self::checked)
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_u8(u8::try_from(self.all().len()).unwrap_or(u8::MAX));
        for Unsuccessful { address, status } in self.all() {
            address.write(out);
            out.put_u32(status.0);
        }
    }

    fn value(&self) -> Value<'_> {
        Value::Unsuccesses(self)
    }
}
