//! The IDX reader never panics on any bytes; what it reads is what the bytes
//! say, written out again; a gzipped file reads as its content does, in one member
//! or two, and with zeros behind them. An input
//! that starts with `BOMB` describes a gzip bomb: a header and far more zeros
//! than bytes; it is read exactly where the header says as many. Memory is the
//! fuzzer's to watch (`run.sh` sets a limit).

use std::{io::Write, sync::LazyLock};

use flate2::{Compression, write::GzEncoder};
use thinnet::data::idx::{Idx, from_bytes};

/// IDX has at most so many dimensions: their number is one byte.
const DIMENSIONS: [usize; 6] = [1, 2, 3, 255, 256, usize::MAX];

fn write(idx: &Idx) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, idx.dimensions.len() as u8];
    for &size in &idx.dimensions {
        bytes.extend(u32::try_from(size).unwrap().to_be_bytes());
    }
    bytes.extend(&idx.elements);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Zeros in a member of a bomb.
const MEMBER: usize = 1 << 20;

/// Zeros in the largest bomb: enough to see memory grow, few enough that an
/// honest header of so many stays within the fuzzer's limit.
const MAX_MEMBERS: usize = 64;

/// To compare with.
static NOTHING: [u8; MEMBER] = [0; MEMBER];

/// A gzip member of zeros, 1 KiB or so. Members may follow each other.
static ZEROS: LazyLock<Vec<u8>> = LazyLock::new(|| gzip(&NOTHING));

/// What follows `BOMB`: how many members, how many zeros after them, how many
/// dimensions, then their sizes, big-endian; bytes that are missing count as 0.
fn bomb(bytes: &[u8]) {
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let members = usize::from(at(0)) % (MAX_MEMBERS + 1);
    let rest = usize::from(at(1));
    let dimensions = usize::from(at(2)) % 4 + 1;
    let sizes: Vec<u32> = (0..dimensions)
        .map(|i| u32::from_be_bytes(std::array::from_fn(|byte| at(3 + 4 * i + byte))))
        .collect();
    let mut header = vec![0, 0, 8, dimensions as u8];
    sizes.iter().for_each(|size| header.extend(size.to_be_bytes()));
    let mut file = gzip(&header);
    (0..members).for_each(|_| file.extend(&*ZEROS));
    file.extend(gzip(&vec![0; rest]));

    let holds = members * MEMBER + rest;
    let says = sizes.iter().try_fold(1u128, |product, &size| product.checked_mul(size.into()));
    match from_bytes(&file, dimensions) {
        Ok(idx) => {
            assert_eq!(Some(holds as u128), says);
            assert_eq!(idx.elements.len(), holds);
            assert!(idx.elements.chunks(MEMBER).all(|x| *x == NOTHING[..x.len()]));
        }
        // Four sizes may overflow on the way to a product of 0.
        Err(_) => assert!(Some(holds as u128) != says || holds == 0),
    }
}

/// See the head of this file.
pub fn check(bytes: &[u8]) {
    if let Some(bytes) = bytes.strip_prefix(b"BOMB") {
        return bomb(bytes);
    }
    let gzipped = bytes.first() == Some(&0x1f);
    let wrapped = gzip(bytes);
    // The same in two members, with zeros behind them.
    let (first, second) = bytes.split_at(bytes.len() / 3);
    let members = [gzip(first), gzip(second), vec![0; bytes.len() % 700]].concat();
    for dimensions in DIMENSIONS {
        let read = from_bytes(bytes, dimensions);
        if let Ok(idx) = &read {
            assert_eq!(idx.dimensions.len(), dimensions);
            assert_eq!(idx.dimensions.iter().product::<usize>(), idx.elements.len());
            let written = write(idx);
            if !gzipped {
                assert_eq!(written, bytes);
            }
            assert_eq!(&from_bytes(&written, dimensions).unwrap(), idx);
        }
        let read_wrapped = from_bytes(&wrapped, dimensions);
        let read_members = from_bytes(&members, dimensions);
        assert_eq!(read_wrapped.as_ref().ok(), read_members.as_ref().ok());
        if gzipped {
            // Zipped twice is not IDX.
            assert!(read_wrapped.is_err());
        } else {
            assert_eq!(read.ok(), read_wrapped.ok());
        }
    }
}
