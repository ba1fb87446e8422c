//! Row-major indices under movement and broadcasting.

/// Number of elements.
pub(crate) fn count(shape: &[u64]) -> usize {
    shape.iter().product::<u64>() as usize
}

/// The shape that two tensors are repeated to, as numpy does.
pub(crate) fn broadcast(left: &[u64], right: &[u64]) -> Option<Vec<u64>> {
    let extents = |shape: &[u64]| shape.iter().map(|extent| *extent as usize).collect::<Vec<_>>();
    let shape = cml_runtime::reference::broadcast(&extents(left), &extents(right))?;
    Some(shape.into_iter().map(|extent| extent as u64).collect())
}

/// Row-major index in a tensor of `shape` that broadcasts to `out`, for the element `index` of `out`.
pub(crate) fn broadcast_index(index: usize, out: &[u64], shape: &[u64]) -> usize {
    let (mut rest, mut result, mut stride) = (index as u64, 0, 1);
    for (axis, extent) in out.iter().rev().enumerate() {
        let at = rest % extent;
        rest /= extent;
        if let Some(own) = shape.len().checked_sub(axis + 1).map(|axis| shape[axis]) {
            result += if own == 1 { 0 } else { at * stride };
            stride *= own;
        }
    }
    result as usize
}

/// The shape of a transposed tensor; `None` unless `permutation` is one of its axes.
pub(crate) fn transposed(shape: &[u64], permutation: &[u64]) -> Option<Vec<u64>> {
    let mut axes = permutation.to_vec();
    axes.sort_unstable();
    let is_permutation =
        axes.len() == shape.len() && axes.iter().enumerate().all(|(index, axis)| *axis == index as u64);
    is_permutation.then(|| permutation.iter().map(|axis| shape[*axis as usize]).collect())
}

/// For each element of a transposed tensor the element of the input that moves there.
pub(crate) fn transpose_origins(shape: &[u64], permutation: &[u64]) -> Option<Vec<usize>> {
    let out = transposed(shape, permutation)?;
    let stride = |axis: u64| shape[axis as usize + 1..].iter().product::<u64>();
    let strides: Vec<u64> = permutation.iter().map(|axis| stride(*axis)).collect();
    let origin = |index: usize| {
        let (mut rest, mut element) = (index as u64, 0);
        for (extent, stride) in out.iter().zip(&strides).rev() {
            element += rest % extent * stride;
            rest /= extent;
        }
        element as usize
    };
    Some((0..count(&out)).map(origin).collect())
}

/// The shape of tensors joined along an axis; `None` if they do not fit.
pub(crate) fn concatenated(shapes: &[&[u64]], axis: usize) -> Option<Vec<u64>> {
    let mut out = shapes.first()?.to_vec();
    *out.get_mut(axis)? = 0;
    for shape in shapes {
        let fits = shape.len() == out.len()
            && (0..out.len()).all(|other| other == axis || shape[other] == out[other]);
        if !fits {
            return None;
        }
        out[axis] += shape[axis];
    }
    Some(out)
}

/// For each element of joined tensors the tensor, and the element of it, that moves there.
pub(crate) fn concat_origins(shapes: &[&[u64]], axis: usize) -> Option<Vec<(usize, usize)>> {
    concatenated(shapes, axis)?;
    let mut origins = Vec::new();
    for outer in 0..count(&shapes.first()?[..axis]) {
        for (number, shape) in shapes.iter().enumerate() {
            let chunk = count(&shape[axis..]);
            origins.extend((0..chunk).map(|at| (number, outer * chunk + at)));
        }
    }
    Some(origins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_moves_columns_to_rows() {
        assert_eq!(transpose_origins(&[2, 3], &[1, 0]), Some(vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(transposed(&[2, 3, 4], &[2, 0, 1]), Some(vec![4, 2, 3]));
        assert_eq!(transposed(&[2, 3], &[1, 1]), None);
    }

    #[test]
    fn joining_interleaves_rows() {
        let origins = concat_origins(&[&[2, 1], &[2, 2]], 1).unwrap();
        assert_eq!(origins, [(0, 0), (1, 0), (1, 1), (0, 1), (1, 2), (1, 3)]);
        assert_eq!(concatenated(&[&[2, 1], &[3, 2]], 1), None);
    }

    #[test]
    fn broadcasting_repeats_axes_of_extent_one() {
        let indices: Vec<_> = (0..6).map(|index| broadcast_index(index, &[2, 3], &[2, 1])).collect();
        assert_eq!(indices, [0, 0, 0, 1, 1, 1]);
        let indices: Vec<_> = (0..6).map(|index| broadcast_index(index, &[2, 3], &[3])).collect();
        assert_eq!(indices, [0, 1, 2, 0, 1, 2]);
    }
}
