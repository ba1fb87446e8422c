use super::super::proto::Entry;
use super::*;

fn raw(data_type: DataType, dims: &[i64], bytes: &[u8]) -> Tensor {
    Tensor {
        dims: dims.to_vec(),
        data_type: data_type as i32,
        raw_data: Some(bytes.to_vec()),
        ..Tensor::default()
    }
}

fn floats(elements: &[f32]) -> Value {
    Value::floats(&[elements.len()], elements.to_vec()).unwrap()
}

fn integers(elements: &[i64]) -> Value {
    Value::integers(&[elements.len()], elements.to_vec()).unwrap()
}

#[test]
fn raw_data_of_every_kind_is_read() {
    let read = |kind, bytes: &[u8], count| value(&raw(kind, &[count], bytes), None).unwrap();
    assert_eq!(read(DataType::Float, &1.5f32.to_le_bytes(), 1), floats(&[1.5]));
    assert_eq!(read(DataType::Double, &(-0.25f64).to_le_bytes(), 1), floats(&[-0.25]));
    assert_eq!(read(DataType::Float16, &[0x00, 0xc0, 0x01, 0x00], 2), floats(&[-2.0, 2f32.powi(-24)]));
    assert_eq!(read(DataType::Bfloat16, &[0xc0, 0x3f], 1), floats(&[1.5]));
    assert_eq!(read(DataType::Int8, &[0xff, 0x7f], 2), integers(&[-1, 127]));
    assert_eq!(read(DataType::Uint8, &[0xff], 1), integers(&[255]));
    assert_eq!(read(DataType::Bool, &[0, 1, 7], 3), integers(&[0, 1, 1]));
    assert_eq!(read(DataType::Int16, &[0xfe, 0xff], 1), integers(&[-2]));
    assert_eq!(read(DataType::Uint16, &[0xfe, 0xff], 1), integers(&[65_534]));
    assert_eq!(read(DataType::Int32, &[0, 0, 0, 0x80], 1), integers(&[i64::from(i32::MIN)]));
    assert_eq!(read(DataType::Uint32, &[0, 0, 0, 0x80], 1), integers(&[1 << 31]));
    assert_eq!(read(DataType::Int64, &i64::MIN.to_le_bytes(), 1), integers(&[i64::MIN]));
    assert_eq!(read(DataType::Uint64, &7u64.to_le_bytes(), 1), integers(&[7]));
    assert_eq!(read(DataType::Uint4, &[0xf1, 0x08], 3), integers(&[1, 15, 8]));
    assert_eq!(read(DataType::Int4, &[0xf1, 0x78], 4), integers(&[1, -1, -8, 7]));
}

#[test]
fn typed_data_of_every_kind_is_read() {
    let read = |kind: DataType, tensor: Tensor| {
        value(&Tensor { data_type: kind as i32, dims: vec![2], ..tensor }, None).unwrap()
    };
    let small = || Tensor { int32_data: vec![1, -1], ..Tensor::default() };
    for kind in [DataType::Int32, DataType::Int16, DataType::Int8] {
        assert_eq!(read(kind, small()), integers(&[1, -1]));
    }
    let packed = Tensor { int32_data: vec![0xe7], ..Tensor::default() };
    assert_eq!(read(DataType::Int4, packed.clone()), integers(&[7, -2]));
    assert_eq!(read(DataType::Uint4, packed), integers(&[7, 14]));
    let halves = Tensor { int32_data: vec![0x3c00, 0xfc00], ..Tensor::default() };
    assert_eq!(read(DataType::Float16, halves), floats(&[1.0, f32::NEG_INFINITY]));
    let float = Tensor { float_data: vec![0.5, 1.5], ..Tensor::default() };
    assert_eq!(read(DataType::Float, float), floats(&[0.5, 1.5]));
    let double = Tensor { double_data: vec![0.5, 1.5], ..Tensor::default() };
    assert_eq!(read(DataType::Double, double), floats(&[0.5, 1.5]));
    let long = Tensor { int64_data: vec![5, -6], ..Tensor::default() };
    assert_eq!(read(DataType::Int64, long), integers(&[5, -6]));
    let unsigned = Tensor { uint64_data: vec![5, 6], ..Tensor::default() };
    assert_eq!(read(DataType::Uint32, unsigned), integers(&[5, 6]));
}

#[test]
fn every_half_is_converted_exactly() {
    // Neighbours grow, from zero through the subnormals to infinity.
    for bits in 0..0x7c00u16 {
        assert!(half_to_float(bits) < half_to_float(bits + 1));
        assert_eq!(half_to_float(bits | 0x8000), -half_to_float(bits));
    }
    assert_eq!(half_to_float(0x7bff), 65_504.0);
    assert_eq!(half_to_float(0x3555), 0.333_251_95);
    assert!(half_to_float(0x7e00).is_nan());
}

#[test]
fn malformed_tensors_are_refused() {
    let refusal = |tensor: &Tensor| value(tensor, None).unwrap_err().to_string();
    assert_eq!(refusal(&raw(DataType::Float, &[2], &[0; 7])), "shape [2] needs 8 bytes, found 7");
    assert_eq!(refusal(&raw(DataType::Float, &[-1], &[])), "shape [-1] has a negative extent");
    assert!(refusal(&raw(DataType::Float, &[1 << 40, 1 << 40], &[])).contains("more elements"));
    assert!(refusal(&raw(DataType::String, &[1], &[])).starts_with("elements of type string"));
    assert!(refusal(&Tensor { data_type: 99, ..Tensor::default() }).contains("type number 99"));
    assert!(refusal(&raw(DataType::Uint64, &[1], &[0xff; 8])).contains("does not fit"));
    let empty = Tensor { dims: vec![3], data_type: DataType::Float as i32, ..Tensor::default() };
    assert_eq!(refusal(&empty), "shape [3] needs 3 elements, found 0");
}

fn stored(location: &str, entries: &[(&str, &str)]) -> Tensor {
    let entry = |(key, value): (&str, &str)| Entry { key: key.to_owned(), value: value.to_owned() };
    let external_data = [("location", location)].into_iter().chain(entries.iter().copied()).map(entry);
    Tensor {
        dims: vec![2],
        data_type: DataType::Float as i32,
        data_location: 1,
        external_data: external_data.collect(),
        ..Tensor::default()
    }
}

#[test]
fn external_data_is_read_from_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("weights")).unwrap();
    let bytes: Vec<u8> = [0.0f32, 1.0, 2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(folder.path().join("weights/w.bin"), bytes).unwrap();
    let read = |tensor: &Tensor| value(tensor, Some(folder.path()));
    assert_eq!(read(&stored("weights/w.bin", &[("offset", "4")])).unwrap(), floats(&[1.0, 2.0]));
    assert_eq!(read(&stored("./weights/w.bin", &[("length", "8")])).unwrap(), floats(&[0.0, 1.0]));
    let refusal = |tensor: &Tensor| read(tensor).unwrap_err().to_string();
    assert_eq!(
        refusal(&stored("weights/w.bin", &[("offset", "8")])),
        "its elements are at 8 to 16 of weights/w.bin, which has 12 bytes"
    );
    let far = u64::MAX.to_string();
    assert!(refusal(&stored("weights/w.bin", &[("offset", &far)])).contains("which has 12 bytes"));
    assert!(refusal(&stored("weights/w.bin", &[("length", "4")])).contains("needs 8 bytes, found 4"));
    assert!(refusal(&stored("weights/w.bin", &[("offset", "x")])).contains("no valid offset"));
    assert!(refusal(&stored("weights/none.bin", &[])).starts_with("cannot read weights/none.bin"));
    assert!(matches!(value(&stored("w.bin", &[]), None), Err(TensorFault::NoFolder)));
}

#[test]
fn external_data_never_leaves_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), [0; 8]).unwrap();
    let folder = outside.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("w.bin"), [0; 8]).unwrap();
    let absolute = outside.path().join("secret").to_str().unwrap().to_owned();
    #[cfg(unix)]
    std::os::unix::fs::symlink(outside.path().join("secret"), folder.join("link")).unwrap();
    for location in ["../secret", "x/../../secret", &absolute, "link", ""] {
        let refused = value(&stored(location, &[]), Some(&folder));
        assert!(matches!(refused, Err(TensorFault::Outside { .. })), "{location}: {refused:?}");
    }
    value(&stored("w.bin", &[]), Some(&folder)).unwrap();
}
