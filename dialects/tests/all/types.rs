//! Checked construction: bad types and attributes are `None` with a diagnostic, never a crash.

use crate::context_with_errors;
use cml_dialects::ffi::{
    QuantParts, eint, eint_range, lwe, lwe_parts, parameters_parts, quant_parts, quant_type, set_attribute,
};
use cml_dialects::ir::{Make, NewOp, module_op, tensor_of};
use cml_dialects::tfhe::{Key, PARAMETERS, list, parameter_sets, parameters_attribute};
use cml_dialects::{fhe, nn};
use cml_runtime::program::message::ParameterSet;
use cml_runtime::units::Spacing;
use melior::ir::operation::OperationLike;
use melior::ir::r#type::IntegerType;
use melior::ir::{Block, Location, Module, Type};
use proptest::prelude::*;

fn parts(scales: &[f64], zero_points: &[i64], (lo, hi): (i64, i64)) -> QuantParts {
    QuantParts { scales: scales.to_vec(), zero_points: zero_points.to_vec(), axis: 0, lo, hi }
}

#[test]
fn impossible_quantizers_are_refused_with_a_reason() {
    let (context, errors) = context_with_errors();
    let bad = [
        parts(&[], &[], (0, 7)),
        parts(&[1.0], &[], (0, 7)),
        parts(&[1.0, 2.0], &[0], (0, 7)),
        parts(&[0.0], &[0], (0, 7)),
        parts(&[-1.0], &[0], (0, 7)),
        parts(&[f64::NAN], &[0], (0, 7)),
        parts(&[f64::INFINITY], &[0], (0, 7)),
        parts(&[1e-60], &[0], (0, 7)),
        parts(&[1.0, 0.0], &[0, 0], (0, 7)),
        parts(&[1.0], &[0], (7, 0)),
        parts(&[1.0], &[0], (3, 3)),
        parts(&[1.0], &[0], (0, 1 << 33)),
        parts(&[1.0], &[0], (i64::MIN, i64::MAX)),
    ];
    for (index, parts) in bad.iter().enumerate() {
        assert!(quant_type(Location::unknown(&context), parts).is_none(), "{parts:?}");
        assert_eq!(errors.borrow().len(), index + 1, "{parts:?}: {:?}", errors.borrow());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any numbers at all: a type that keeps them, or `None` with a diagnostic.
    #[test]
    fn quantizers_come_back_or_are_refused(
        scales in prop::collection::vec(prop_oneof![any::<f64>(), 0.001..10.0], 0..4),
        zero_points in prop::collection::vec(prop_oneof![any::<i64>(), -8i64..8], 0..4),
        bounds in (prop_oneof![any::<i64>(), -8i64..8], prop_oneof![any::<i64>(), -8i64..8]),
        axis in 0u32..3,
    ) {
        let (context, errors) = context_with_errors();
        let axis = if scales.len() == 1 { 0 } else { axis };
        let given = QuantParts { axis, ..parts(&scales, &zero_points, bounds) };
        match quant_type(Location::unknown(&context), &given) {
            Some(ty) => prop_assert_eq!(quant_parts(ty), Some(given)),
            None => prop_assert!(!errors.borrow().is_empty()),
        }
    }

    #[test]
    fn encrypted_integers_come_back_or_are_refused(
        lo in prop_oneof![any::<i64>(), -100i64..100],
        hi in prop_oneof![any::<i64>(), -100i64..100],
    ) {
        let (context, errors) = context_with_errors();
        let limit = 1i64 << 40;
        let possible = lo <= hi && lo >= -limit && hi <= limit;
        let ty = eint(Location::unknown(&context), lo, hi);
        prop_assert_eq!(ty.and_then(eint_range), possible.then_some((lo, hi)));
        prop_assert_eq!(errors.borrow().is_empty(), possible);
        prop_assert_eq!(fhe::tensor(Location::unknown(&context), &[1, 2], (lo, hi)).is_ok(), possible);
    }

    #[test]
    fn ciphertexts_come_back_or_are_refused(set in prop::option::of(any::<u32>()), spacing: u64) {
        let (context, _) = context_with_errors();
        let possible = i64::try_from(spacing).ok().filter(|spacing| *spacing > 0);
        let possible = possible.filter(|_| set.is_none_or(|set| i32::try_from(set).is_ok()));
        let parts = possible.and_then(|spacing| lwe(Location::unknown(&context), set, spacing)).and_then(lwe_parts);
        prop_assert_eq!(parts, possible.map(|spacing| (set, spacing)));
        let key = set.map_or(Key::Big, Key::Small);
        prop_assert_eq!(list(Location::unknown(&context), 3, key, Spacing(spacing)).is_ok(), possible.is_some());
    }

    /// Key sets that the runtime could not even represent do not get past the attribute.
    #[test]
    fn key_sets_come_back_or_are_refused(
        sizes in prop::array::uniform7(prop_oneof![any::<u32>(), 1u32..30, Just(2048)]),
        noise in prop::array::uniform2(prop_oneof![any::<f64>(), 0.0..1.0]),
    ) {
        let (context, errors) = context_with_errors();
        let [lwe_dimension, glwe_dimension, polynomial_size, pbs_base_log, pbs_level, ks_base_log, ks_level] = sizes;
        let [lwe_std_dev, glwe_std_dev] = noise;
        let set = ParameterSet {
            lwe_dimension, glwe_dimension, polynomial_size, pbs_base_log, pbs_level, ks_base_log, ks_level,
            lwe_std_dev, glwe_std_dev,
        };
        let sets = [set.clone(), set];
        let module = Module::new(Location::unknown(&context));
        let root = module_op(&module);
        prop_assert!(parameter_sets(root).is_err());
        errors.borrow_mut().clear();
        match parameters_attribute(&context, Location::unknown(&context), &sets) {
            Ok(attribute) => {
                set_attribute(root, PARAMETERS, attribute);
                prop_assert!(root.verify());
                prop_assert_eq!(parameter_sets(root).unwrap(), sets);
            }
            Err(_) => prop_assert_eq!(errors.borrow().len(), 1),
        }
    }
}

#[test]
fn other_types_have_no_parts() {
    let (context, _) = context_with_errors();
    for ty in [Type::float32(&context), IntegerType::new(&context, 8).into(), Type::none(&context)] {
        assert_eq!(quant_parts(ty), None);
        assert_eq!(eint_range(ty), None);
        assert_eq!(lwe_parts(ty), None);
    }
    assert_eq!(parameters_parts(Make(&context).i64(3)), None);
}

#[test]
fn dense_values_must_fill_their_shape() {
    let (context, _) = context_with_errors();
    let make = Make(&context);
    assert!(make.i64_elements(&[2, 2], &[1, 2, 3]).is_none());
    assert!(make.f32_elements(&[3], &[1.0; 4]).is_none());
    assert!(make.f32_elements(&[0, 4], &[]).is_some());
    assert!(make.i64_elements(&[], &[5]).is_some());
    let block = Block::new(&[]);
    let error = nn::constant(&context, &block, Location::unknown(&context), (&[2], &[1.0])).unwrap_err();
    assert_eq!(error.to_string(), "nn.constant: expected 1 values for shape [2]");
}

/// `NewOp` does not check: the verifier does, with the location of the op.
#[test]
fn ops_that_lack_something_do_not_verify() {
    let (context, errors) = context_with_errors();
    let place = Location::name(&context, "Gemm_4", Location::unknown(&context));
    let ty = tensor_of(&[2], Type::float32(&context));
    let make = Make(&context);
    let bad = [
        NewOp::new("nn.constant", place).result(ty),
        NewOp::new("nn.constant", place).attribute("value", make.i64(1)).result(ty),
        NewOp::new("nn.relu", place).result(ty),
        NewOp::new("nn.add", place),
        NewOp::new("fhe.constant", place).attribute("value", make.string("1")).result(ty),
        NewOp::new("tfhe.linear", place).result(ty),
    ];
    for op in bad {
        errors.borrow_mut().clear();
        let built = op.build(&context);
        assert!(built.is_err() || !built.unwrap().verify());
        assert!(!errors.borrow().is_empty());
    }
}
