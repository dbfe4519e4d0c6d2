//! Charges as Parquet: decimals as DECIMAL(38,12), instants as UTC milliseconds, texts as UTF-8, every column
//! optional. Each piece is a row group.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::row::{COLUMNS, Column, Kind, Row, Value};

/// Bytes of a decimal of 38 digits.
const DECIMAL_BYTES: i32 = 16;
const PRECISION: i32 = 38;
const SCALE: i32 = 12;
/// Rows of one row group; one of these is held in memory at a time.
const ROWS_MAX: usize = 100_000;

/// A file that is being written.
pub(super) struct Table<W: Write + Send> {
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send> Table<W> {
    pub(super) fn new(out: W) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::GZIP(GzipLevel::default()))
            .set_created_by(concat!("tollkeeper ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(out, schema()?, Arc::new(properties))?;
        Ok(Self { writer })
    }

    pub(super) fn write(&mut self, rows: &[Row]) -> Result<(), ParquetError> {
        for rows in rows.chunks(ROWS_MAX) {
            let mut group = self.writer.next_row_group()?;
            for column in COLUMNS {
                let Some(mut writer) = group.next_column()? else {
                    return Err(ParquetError::General("a column has no writer".to_owned()));
                };
                write_column(&mut writer, column, rows)?;
                writer.close()?;
            }
            group.close()?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), ParquetError> {
        self.writer.close().map(drop)
    }
}

fn schema() -> Result<TypePtr, ParquetError> {
    let columns: Result<Vec<TypePtr>, ParquetError> = COLUMNS
        .iter()
        .map(|column| {
            let builder = match column.kind {
                Kind::Text => Type::primitive_type_builder(column.name, Physical::BYTE_ARRAY)
                    .with_logical_type(Some(LogicalType::String)),
                Kind::Decimal => {
                    Type::primitive_type_builder(column.name, Physical::FIXED_LEN_BYTE_ARRAY)
                        .with_length(DECIMAL_BYTES)
                        .with_precision(PRECISION)
                        .with_scale(SCALE)
                        .with_logical_type(Some(LogicalType::decimal(SCALE, PRECISION)))
                }
                Kind::Time => Type::primitive_type_builder(column.name, Physical::INT64)
                    .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
            };
            Ok(Arc::new(builder.with_repetition(Repetition::OPTIONAL).build()?))
        })
        .collect();
    Ok(Arc::new(Type::group_type_builder("focus").with_fields(columns?).build()?))
}

fn write_column(
    writer: &mut SerializedColumnWriter<'_>,
    column: &Column,
    rows: &[Row],
) -> Result<(), ParquetError> {
    let (mut texts, mut decimals, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let mut levels: Vec<i16> = Vec::new();
    for row in rows {
        let is_there = match (column.value)(row) {
            Value::Text(text) => {
                let bytes = text.map(|text| ByteArray::from(text.into_bytes()));
                push(&mut texts, bytes)
            }
            Value::Decimal(units) => {
                let bytes = units.map(|units| {
                    FixedLenByteArray::from(ByteArray::from(units.to_be_bytes().to_vec()))
                });
                push(&mut decimals, bytes)
            }
            Value::Time(at) => push(&mut times, Some(at.0)),
        };
        levels.push(i16::from(is_there));
    }
    let levels = Some(levels.as_slice());
    match column.kind {
        Kind::Text => writer.typed::<ByteArrayType>().write_batch(&texts, levels, None),
        Kind::Decimal => {
            writer.typed::<FixedLenByteArrayType>().write_batch(&decimals, levels, None)
        }
        Kind::Time => writer.typed::<Int64Type>().write_batch(&times, levels, None),
    }?;
    Ok(())
}

fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let is_there = value.is_some();
    values.extend(value);
    is_there
}
