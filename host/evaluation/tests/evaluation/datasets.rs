//! Tables read from files, well-formed and not.

use crate::reference::fixture;
use domain::{
    evidence::Task,
    frame::{ColumnData, Frame},
};
use evaluation::dataset::{
    DataFormat, DatasetError, LabelError, ReadLimits, Table, read, read_bytes,
};
use std::fs;

const PARQUET: [&str; 6] = [
    "wine.snappy.parquet",
    "wine.zstd.parquet",
    "wine.gzip.parquet",
    "wine.lz4.parquet",
    "wine.none.parquet",
    "wine.v2.parquet",
];

fn csv(text: &str) -> Result<Table, DatasetError> {
    read_bytes(text.into(), &ReadLimits::default())
}

/// Compares with NaN equal to NaN.
fn same(a: &Frame, b: &Frame) {
    assert_eq!(a.columns.len(), b.columns.len());
    for (a, b) in a.columns.iter().zip(&b.columns) {
        assert_eq!(format!("{a:?}"), format!("{b:?}"));
    }
}

#[test]
fn csv_and_parquet_of_one_table_are_one_frame() {
    let limits = ReadLimits::default();
    let text = read(&fixture("wine.csv"), &limits).unwrap();
    assert_eq!((text.format, text.frame.rows()), (DataFormat::Csv, 60));
    for name in PARQUET {
        let table = read(&fixture(name), &limits).unwrap();
        assert_eq!(table.format, DataFormat::Parquet);
        same(&table.frame, &text.frame);
    }
    let data = |name: &str| text.frame.column(name).unwrap().data.clone();
    let ColumnData::Integers(ids) = data("id") else {
        panic!("ids are {:?}", data("id"))
    };
    assert_eq!(ids[1], 9_007_199_254_740_995);
    let ColumnData::Numbers(organic) = data("organic") else {
        panic!("booleans are {:?}", data("organic"))
    };
    assert_eq!(organic[..4], [1.0, 0.0, 0.0, 1.0]);
    let ColumnData::Text(region) = data("region") else {
        panic!("texts are {:?}", data("region"))
    };
    assert_eq!(
        (region[0].as_deref(), region[2].as_deref()),
        (None, Some("a \"b\""))
    );
}

#[test]
fn inspection_counts_rows_columns_and_classes() {
    let table = read(&fixture("wine.csv"), &ReadLimits::default()).unwrap();
    let found = table.inspect("label", Task::Binary).unwrap();
    assert_eq!((found.rows, found.columns.len()), (60, 8));
    assert_eq!(found.classes, [59, 1]);
    assert!(
        table
            .inspect("alcohol", Task::Regression)
            .unwrap()
            .classes
            .is_empty()
    );
}

#[test]
fn labels_that_do_not_fit_the_task_are_named() {
    let error = |text: &str, task| csv(text).unwrap().inspect("y", task).unwrap_err();
    assert!(matches!(
        error("x\n1\n", Task::Binary),
        LabelError::Missing { .. }
    ));
    assert!(matches!(error("y\n", Task::Binary), LabelError::NoRows));
    let absent = error("x,y\n1,0\n1,\n", Task::Binary);
    assert_eq!(
        absent.to_string(),
        "row 1 has no value in label column \"y\""
    );
    assert!(matches!(
        error("y\n0\n2\n", Task::Binary),
        LabelError::Value { row: 1, .. }
    ));
    assert!(matches!(
        error("y\n0\n0.5\n", Task::Multiclass),
        LabelError::Value { row: 1, .. }
    ));
    assert!(matches!(
        error("y\n0\n2\n", Task::Multiclass),
        LabelError::Hole(1)
    ));
    assert!(matches!(
        error("y\ncat\ndog\n", Task::Multiclass),
        LabelError::Value { row: 0, .. }
    ));
    assert!(matches!(
        error("y\n1\n1e9\n", Task::Multiclass),
        LabelError::Value { row: 1, .. }
    ));
}

#[test]
fn broken_csv_says_where() {
    let message = |text: &str| csv(text).unwrap_err().to_string();
    assert_eq!(
        message("a,b\n1,2\n3\n"),
        "line 3 of the CSV file: 1 cells, the header has 2"
    );
    assert!(message("a,a\n1,2\n").contains("\"a\" is given twice"));
    assert!(message("a,\n1,2\n").contains("column 2 has no name"));
    assert!(matches!(csv("").unwrap_err(), DatasetError::Empty));
    let latin = read_bytes(b"a,b\n1,\xe9\n".to_vec(), &ReadLimits::default());
    assert!(latin.unwrap_err().to_string().contains("UTF-8"));
    let marked = csv("\u{feff}a,b\r\n1,2\r\n").unwrap();
    assert_eq!(&*marked.frame.columns[0].name, "a");
}

#[test]
fn each_limit_holds() {
    let limits = |change: fn(&mut ReadLimits)| {
        let mut limits = ReadLimits::default();
        change(&mut limits);
        limits
    };
    let cases = [
        (limits(|l| l.bytes = 100), "more than 100 bytes"),
        (limits(|l| l.rows = 59), "more than 59 rows"),
        (limits(|l| l.columns = 7), "more than 7 columns"),
        (limits(|l| l.cells = 479), "more than 479 cells"),
    ];
    for (limits, wanted) in cases {
        for name in ["wine.csv", "wine.zstd.parquet"] {
            let message = read(&fixture(name), &limits).unwrap_err().to_string();
            assert!(message.contains(wanted), "{name}: {message}");
        }
    }
    let small = limits(|l| l.decompressed = 1_000);
    for name in PARQUET {
        let message = read(&fixture(name), &small).unwrap_err().to_string();
        assert!(message.contains("decompress"), "{name}: {message}");
    }
}

#[test]
fn a_dictionary_entry_repeated_in_every_row_is_bounded() {
    // 200 MB of text in a file of a few kilobytes.
    let path = fixture("long_texts.parquet");
    assert!(fs::metadata(&path).unwrap().len() < 10_000);
    let limits = ReadLimits {
        decompressed: 8 << 20,
        ..ReadLimits::default()
    };
    let message = read(&path, &limits).unwrap_err().to_string();
    assert!(message.contains("texts are too long"), "{message}");
}

#[test]
fn nested_parquet_columns_are_named() {
    let error = read(&fixture("nested.parquet"), &ReadLimits::default()).unwrap_err();
    assert!(matches!(error, DatasetError::Column { .. }), "{error}");
}

#[test]
fn damaged_parquet_files_are_errors_and_never_crashes() {
    // Every byte of the metadata and many of the pages, each set to values that
    // turn lengths and counts into something extreme.
    let limits = ReadLimits {
        decompressed: 16 << 20,
        rows: 10_000,
        ..ReadLimits::default()
    };
    let mut refused = 0;
    for name in ["wine.gzip.parquet", "wine.lz4.parquet", "wine.v2.parquet"] {
        let whole = fs::read(fixture(name)).unwrap();
        for at in 0..whole.len() {
            for value in [0x00, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                refused += u32::from(read_bytes(damaged, &limits).is_err());
            }
        }
        for length in (4..whole.len()).step_by(37) {
            assert!(read_bytes(whole[..length].to_vec(), &limits).is_err());
        }
    }
    assert!(refused > 1_000, "{refused}");
}
