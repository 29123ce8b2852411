//! CDRs as Apache Parquet: each column with its type, nulls as nulls.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::Value;

use crate::export::{COLUMNS, Kind, Sink};

/// Rows of a row group: some ten MiB of memory.
const GROUP: usize = 50_000;

/// A file that is being written. Nothing can read it before its end.
pub(crate) struct Parquet<W: Write + Send> {
    file: SerializedFileWriter<W>,
    rows: Vec<Value>,
}

impl<W: Write + Send> Parquet<W> {
    pub(crate) fn new(out: W) -> Result<Self> {
        let columns = COLUMNS.map(|(name, kind)| {
            let (physical, logical) = match kind {
                Kind::Long => ("INT64", ""),
                Kind::Int => ("INT32", ""),
                Kind::Time => ("INT64", " (TIMESTAMP(MICROS,true))"),
                Kind::Text => ("BYTE_ARRAY", " (STRING)"),
                Kind::Flag => ("BOOLEAN", ""),
            };
            format!("OPTIONAL {physical} {name}{logical};")
        });
        let schema = format!("message cdrs {{ {} }}", columns.join(" "));
        let schema = Arc::new(parse_message_type(&schema)?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?;
        let rows = Vec::new();
        Ok(Self { file, rows })
    }

    /// Writes what is held as a row group.
    fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for (name, kind) in COLUMNS {
            let values = rows.iter().map(|row| &row[name]);
            let written = match kind {
                Kind::Long => write::<Int64Type>(&mut group, values, Value::as_i64),
                Kind::Int => write::<Int32Type>(&mut group, values, |value| {
                    i32::try_from(value.as_i64()?).ok()
                }),
                Kind::Time => write::<Int64Type>(&mut group, values, |value| {
                    let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
                    Some(time.as_microsecond())
                }),
                Kind::Text => write::<ByteArrayType>(&mut group, values, |value| {
                    Some(ByteArray::from(value.as_str()?))
                }),
                Kind::Flag => write::<BoolType>(&mut group, values, Value::as_bool),
            };
            written.with_context(|| format!("column {name}"))?;
        }
        group.close()?;
        Ok(())
    }
}

impl<W: Write + Send> Sink for Parquet<W> {
    fn take(&mut self, rows: &[Value]) -> Result<()> {
        self.rows.extend_from_slice(rows);
        match self.rows.len() >= GROUP {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn end(mut self) -> Result<()> {
        self.flush()?;
        self.file.close()?;
        Ok(())
    }
}

/// Writes the next column. A null is left out and marked so; what `read` does not know is refused.
fn write<'a, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    values: impl Iterator<Item = &'a Value>,
    read: impl Fn(&Value) -> Option<T::T>,
) -> Result<()> {
    let (mut present, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(!value.is_null()));
        match read(value) {
            _ if value.is_null() => {}
            Some(value) => present.push(value),
            None => bail!("{value} is not of its type"),
        }
    }
    let mut column = group.next_column()?.context("there is one for each name")?;
    let typed = column.typed::<T>();
    typed.write_batch(&present, Some(&levels), None)?;
    column.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use serde_json::json;

    use super::*;

    fn written(pages: &[Vec<Value>]) -> Result<bytes::Bytes> {
        let mut file = tempfile::tempfile()?;
        let mut parquet = Parquet::new(file.try_clone()?)?;
        for page in pages {
            parquet.take(page)?;
        }
        parquet.end()?;
        let mut octets = Vec::new();
        std::io::Seek::rewind(&mut file)?;
        std::io::Read::read_to_end(&mut file, &mut octets)?;
        Ok(octets.into())
    }

    #[test]
    fn s10_1_what_is_written_is_read_again_with_its_types() {
        let row = json!({
            "id": 7, "message_id": 9_007_199_254_740_991_i64, "calling_number": "+4670",
            "called_number": "+4671", "source_smsc": null, "dest_smsc": "gw",
            "submission_time": "2026-11-27T01:02:03.456Z", "delivery_time": null,
            "status": "delivered", "delivery_attempts": 2, "deadletter": false,
            "message_body": "sal\u{e5}m",
        });
        let reader = SerializedFileReader::new(written(&[vec![row], Vec::new()]).unwrap()).unwrap();
        let rows: Vec<_> = reader
            .get_row_iter(None)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let expected = "{id: 7, message_id: 9007199254740991, calling_number: \"+4670\", \
            called_number: \"+4671\", source_smsc: null, dest_smsc: \"gw\", origin_node: null, \
            destination_node: null, submission_time: 2026-11-27 01:02:03.456000 +00:00, \
            delivery_time: null, expiry_time: null, status: \"delivered\", delivery_attempts: 2, \
            message_parts: null, deadletter: false, message_body: \"sal\u{e5}m\"}";
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].to_string(), expected);
    }

    #[test]
    fn a_large_export_is_cut_into_row_groups() {
        let page = |from: usize| (from..from + 1_000).map(|id| json!({ "id": id })).collect();
        let pages: Vec<Vec<Value>> = (0..51).map(|number| page(number * 1_000)).collect();
        let reader = SerializedFileReader::new(written(&pages).unwrap()).unwrap();
        let groups = reader.metadata().row_groups();
        let sizes: Vec<i64> = groups.iter().map(|group| group.num_rows()).collect();
        assert_eq!(sizes, [50_000, 1_000]);
    }

    #[test]
    fn nothing_is_a_file_without_rows() {
        let reader = SerializedFileReader::new(written(&[]).unwrap()).unwrap();
        assert_eq!(reader.get_row_iter(None).unwrap().count(), 0);
    }

    #[test]
    fn a_value_of_another_type_is_refused_by_column() {
        let error = written(&[vec![json!({ "id": "seven" })]]).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "column id: \"seven\" is not of its type"
        );
    }
}
