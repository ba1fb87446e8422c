use super::*;
use ndarray::{Array, Dimension, ShapeBuilder, arr0, array};
use ndarray_npy::{NpzWriter, WritableElement, write_npy};
use proptest::prelude::*;

fn source(path: &Path) -> ArraySource {
    ArraySource { path: path.to_owned(), name: None, rows: None }
}

fn floats<T: WritableElement, D: Dimension>(array: &Array<T, D>) -> ArrayD<f32> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    write_npy(&path, array).unwrap();
    source(&path).load_floats().unwrap()
}

#[test]
fn every_kind_of_number_is_read() {
    let expected = array![[0f32, 1.0], [2.0, 100.0]].into_dyn();
    assert_eq!(floats(&array![[0f32, 1.0], [2.0, 100.0]]), expected);
    assert_eq!(floats(&array![[0f64, 1.0], [2.0, 100.0]]), expected);
    assert_eq!(floats(&array![[0i8, 1], [2, 100]]), expected);
    assert_eq!(floats(&array![[0i16, 1], [2, 100]]), expected);
    assert_eq!(floats(&array![[0i32, 1], [2, 100]]), expected);
    assert_eq!(floats(&array![[0i64, 1], [2, 100]]), expected);
    assert_eq!(floats(&array![[0u8, 1], [2, 100]]), expected);
    assert_eq!(floats(&array![[0u16, 1], [2, 100]]), expected);
    assert_eq!(floats(&array![[0u32, 1], [2, 100]]), expected);
    assert_eq!(floats(&array![[0u64, 1], [2, 100]]), expected);
    assert_eq!(floats(&array![false, true]), array![0f32, 1.0].into_dyn());
    assert_eq!(floats(&array![-1i8, -128]), array![-1f32, -128.0].into_dyn());
    assert_eq!(floats(&arr0(2.5f32)), arr0(2.5).into_dyn());
    let fortran = Array::from_shape_vec((2, 3).f(), vec![1f32, 4.0, 2.0, 5.0, 3.0, 6.0]).unwrap();
    assert_eq!(floats(&fortran), array![[1f32, 2.0, 3.0], [4.0, 5.0, 6.0]].into_dyn());
}

#[test]
fn big_endian_elements_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let header = "{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend([0x01, 0x02, 0xff, 0xfe]);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(source(&path).load_integers().unwrap(), array![0x102i64, -2].into_dyn());
}

#[test]
fn names_and_rows_select() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    let mut archive = NpzWriter::new_compressed(File::create(&path).unwrap());
    archive.add_array("x_test", &array![[1f32, 2.0], [3.0, 4.0], [5.0, 6.0]]).unwrap();
    archive.add_array("y_test", &array![1f64, 0.0, 7.0]).unwrap();
    archive.finish().unwrap();
    let text = path.to_str().unwrap();
    let at = |suffix: &str| format!("{text}{suffix}").parse::<ArraySource>().unwrap();
    assert_eq!(at(":x_test[1:2]").load_floats().unwrap(), array![[3f32, 4.0]].into_dyn());
    assert_eq!(at(":x_test[2:]").load_floats().unwrap(), array![[5f32, 6.0]].into_dyn());
    assert_eq!(at(":y_test[:2]").load_integers().unwrap(), array![1i64, 0].into_dyn());
    let refusal =
        |suffix: &str| at(suffix).load_integers().unwrap_err().to_string().replace(text, "data.npz");
    assert_eq!(refusal(":z"), "data.npz has no array z; it has x_test, y_test");
    assert!(refusal("").contains("name one, as file.npz:name; it has x_test, y_test"));
    assert_eq!(refusal(":x_test[1:9]"), "rows 1:9 of data.npz:x_test do not exist: its shape is [3, 2]");
}

#[test]
fn labels_must_be_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("y.npy");
    let refusal = |path: &Path| {
        source(path).load_integers().unwrap_err().to_string().replace(path.to_str().unwrap(), "y.npy")
    };
    write_npy(&path, &array![1f32, 0.5]).unwrap();
    assert_eq!(refusal(&path), "y.npy has the element 0.5, expected integers");
    write_npy(&path, &array![u64::MAX]).unwrap();
    assert!(refusal(&path).ends_with("expected integers"));
    write_npy(&path, &array![f64::NAN]).unwrap();
    assert!(refusal(&path).contains("NaN"));
}

#[test]
fn texts_that_name_no_array_are_refused() {
    for text in ["", "a.npz:", "a.npy[1]", "a.npy[2:1]", "a.npy[a:b]", "[0:1]"] {
        assert!(matches!(text.parse::<ArraySource>(), Err(Error::Source { .. })), "{text}");
    }
    let parsed: ArraySource = "dir[1]/a.npz:x[3:]".parse().unwrap();
    assert_eq!(parsed.rows, Some((3, None)));
    assert_eq!(parsed.to_string(), "dir[1]/a.npz:x[3:]");
    let missing: ArraySource = "no/such.npy".parse().unwrap();
    assert!(missing.load_floats().unwrap_err().to_string().starts_with("cannot read no/such.npy: "));
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::fs::write(&path, "hello").unwrap();
    assert!(matches!(source(&path).load_floats(), Err(Error::NotAnArray { .. })));
    std::fs::write(&path, "PK\x03\x04 and nothing").unwrap();
    assert!(matches!(source(&path).load_floats(), Err(Error::Archive { .. })));
    write_npy(&path, &array![1f32]).unwrap();
    let named = ArraySource { name: Some("x".to_owned()), ..source(&path) };
    assert!(matches!(named.load_floats(), Err(Error::NoNames { .. })));
}

#[test]
fn arrays_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("y.npy");
    let values = array![[0.1f32, f32::INFINITY], [-3.5, 1e-40]].into_dyn();
    save_floats(&path, &values).unwrap();
    assert_eq!(source(&path).load_floats().unwrap(), values);
    let labels = array![i64::MIN, i64::MAX].into_dyn();
    save_integers(&path, &labels).unwrap();
    assert_eq!(source(&path).load_integers().unwrap(), labels);
    assert!(save_floats(&folder.path().join("no/such/y.npy"), &values).is_err());
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        archive in any::<bool>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let values = array![[1f32, 2.0], [3.0, 4.0]];
        if archive {
            let mut archive = NpzWriter::new_compressed(File::create(&path).unwrap());
            archive.add_array("x", &values).unwrap();
            archive.finish().unwrap();
        } else {
            write_npy(&path, &values).unwrap();
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(if cut { at } else { bytes.len() });
        std::fs::write(&path, bytes).unwrap();
        drop(source(&path).load_floats());
        drop(source(&path).load_integers());
    }
}
