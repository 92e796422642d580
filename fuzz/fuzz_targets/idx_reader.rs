//! The IDX reader never panics on any bytes; what it reads is what the bytes
//! say, written out again; a gzipped file reads as its content does.
#![no_main]

use std::{io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
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

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("fuzz");
    let gzipped = bytes.starts_with(&[0x1f, 0x8b]);
    let wrapped = gzip(bytes);
    for dimensions in DIMENSIONS {
        let read = from_bytes(bytes, dimensions, path);
        if let Ok(idx) = &read {
            assert_eq!(idx.dimensions.len(), dimensions);
            assert_eq!(idx.dimensions.iter().product::<usize>(), idx.elements.len());
            let written = write(idx);
            if !gzipped {
                assert_eq!(written, bytes);
            }
            assert_eq!(&from_bytes(&written, dimensions, path).unwrap(), idx);
        }
        let read_wrapped = from_bytes(&wrapped, dimensions, path);
        if gzipped {
            // Zipped twice is not IDX.
            assert!(read_wrapped.is_err());
        } else {
            assert_eq!(read.ok(), read_wrapped.ok());
        }
    }
});
