//! The NPY reader never panics on any bytes; a matrix is what an index that counts
//! through the dimensions finds in the bytes, each element read by the standard
//! library; labels likewise; what was read, written and read again is the same.

use thinnet::data::npy::{Dtype, Npy, labels_to_bytes, matrix_to_bytes};

/// The element with these bytes, as a number and as the nearest f32.
fn element(dtype: Dtype, bytes: &[u8], big_endian: bool) -> (f64, f32) {
    /// Both, by the primitive's own conversions.
    macro_rules! read {
        ($($variant:ident: $primitive:ident)*) => {
            match dtype {
                $(Dtype::$variant => {
                    let bytes = bytes.try_into().unwrap();
                    let x = if big_endian {
                        $primitive::from_be_bytes(bytes)
                    } else {
                        $primitive::from_le_bytes(bytes)
                    };
                    (x as f64, x as f32)
                })*
                Dtype::Bool => {
                    let x = f32::from(u8::from(bytes[0] != 0));
                    (x.into(), x)
                }
                Dtype::F16 => {
                    let bytes = bytes.try_into().unwrap();
                    let bits =
                        if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
                    let x = half(bits);
                    (x.into(), x)
                }
                _ => panic!("an element type that the oracle does not know: {dtype:?}"),
            }
        };
    }
    read! { U8: u8 U16: u16 U32: u32 U64: u64 I8: i8 I16: i16 I32: i32 I64: i64 F32: f32 F64: f64 }
}

/// binary16 into binary32 by moving bits; a fraction without its leading bit is
/// shifted until it has one.
fn half(bits: u16) -> f32 {
    let (sign, exponent, mut fraction) =
        (u32::from(bits >> 15) << 31, u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let exponent = match exponent {
        31 => 255,
        0 if fraction == 0 => 0,
        0 => {
            let mut exponent = 113;
            while fraction & 1024 == 0 {
                fraction <<= 1;
                exponent -= 1;
            }
            exponent
        }
        _ => exponent + 112,
    };
    f32::from_bits(sign | exponent << 23 | (fraction & 1023) << 13)
}

/// Where the elements start, and whether they are big-endian and in Fortran order,
/// by what can stand nowhere else in a header that was read.
fn start(bytes: &[u8]) -> (usize, bool, bool) {
    let (before, length) = if bytes[6] == 1 {
        (10, usize::from(u16::from_le_bytes([bytes[8], bytes[9]])))
    } else {
        (12, u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize)
    };
    let header = std::str::from_utf8(&bytes[before..][..length]).unwrap();
    let big_endian = header.contains('>');
    (before + length, big_endian, header.contains("True"))
}

fn bits(x: impl IntoIterator<Item = f32>) -> Vec<Option<u32>> {
    // Any NaN is as good as any other.
    x.into_iter().map(|x| (!x.is_nan()).then_some(x.to_bits())).collect()
}

/// See the head of this file.
pub fn check(bytes: &[u8]) {
    let Ok(npy) = Npy::from_bytes(bytes) else {
        return;
    };
    let (from, big_endian, fortran_order) = start(bytes);
    let (dtype, sizes) = (npy.dtype(), npy.dimensions());
    let elements: Vec<(f64, f32)> =
        bytes[from..].chunks(dtype.size()).map(|bytes| element(dtype, bytes, big_endian)).collect();
    assert_eq!(sizes.iter().product::<usize>(), elements.len());

    if let Ok(matrix) = npy.matrix() {
        assert_eq!((matrix.rows(), sizes.len() > 1), (sizes[0], true));
        let mut index = vec![0; sizes.len()];
        let mut want = Vec::new();
        for _ in 0..elements.len() {
            let walk = |dimensions: &mut dyn Iterator<Item = usize>| {
                dimensions.fold(0, |place, d| place * sizes[d] + index[d])
            };
            want.push(
                elements[if fortran_order {
                    walk(&mut (0..sizes.len()).rev())
                } else {
                    walk(&mut (0..sizes.len()))
                }]
                .1,
            );
            // The next index in C order.
            for d in (0..sizes.len()).rev() {
                index[d] += 1;
                if index[d] < sizes[d] {
                    break;
                }
                index[d] = 0;
            }
        }
        let got = (0..matrix.rows()).flat_map(|row| matrix.row(row).unwrap().iter().copied());
        assert_eq!(bits(got), bits(want.iter().copied()));

        let written = matrix_to_bytes(matrix.view()).unwrap();
        assert_eq!(written.len() % 64, 4 * elements.len() % 64);
        let again = Npy::from_bytes(&written).unwrap().matrix().unwrap();
        let again = (0..again.rows()).flat_map(|row| again.row(row).unwrap().iter().copied());
        assert_eq!(bits(again), bits(want.iter().copied()));
        let inputs = npy.inputs();
        assert_eq!(inputs.is_ok(), want.iter().all(|x| x.is_finite()));
    } else {
        // Nothing else is refused of so small a file.
        assert!(sizes.len() < 2 || sizes[1..].contains(&0) || elements.is_empty());
    }

    let are_labels = |x: f64| x >= 0.0 && x <= f64::from(u32::MAX) && x.fract() == 0.0;
    match npy.labels() {
        Ok(labels) => {
            assert!(labels.iter().map(|&l| f64::from(l)).eq(elements.iter().map(|x| x.0)));
            let again = Npy::from_bytes(&labels_to_bytes(&labels).unwrap()).unwrap();
            assert_eq!(again.labels().unwrap(), labels);
        }
        Err(_) => assert!(sizes.len() != 1 || !elements.iter().all(|x| are_labels(x.0))),
    }
}
