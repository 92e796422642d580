//! Files that are made to break the readers: each is refused with a reason, and uses no more memory
//! than is allowed.
#![expect(unsafe_code, reason = "an allocator of its own")]

mod hostile_external;
mod hostile_files;
mod hostile_work;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    io::Write,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use thinnet::{
    Error, Keep,
    data::{Dataset, svmlight::Svmlight},
    exchange::{
        FileKind,
        onnx::Model,
        torch::{self, StateDict, StateDictSpec},
    },
    nn::{Activation, Loss, Mlp, Scaling},
};

/// The bytes that the readers may use in addition to four times the file, which counts too.
const MAX_BASE_BYTES: usize = 64 << 20;

struct Peak;

static CURRENT: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(size: usize) {
    let now = CURRENT.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call is passed unchanged to the system's allocator.
unsafe impl GlobalAlloc for Peak {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        CURRENT.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may exist at once.
        grow(size);
        CURRENT.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Peak = Peak;

/// The result of `read` for a file, and the peak of memory including the file itself, in bytes.
fn measured<T>(
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, Error>,
) -> (Result<T, String>, usize) {
    let before = CURRENT.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let read = read(bytes).map_err(|error| error.in_file("a-file").to_string());
    let most = PEAK.load(Ordering::Relaxed) - before + bytes.len();
    (read, most)
}

fn fits(name: &str, size: usize, most: usize) {
    println!("{name}: {size} bytes, {most} at most");
    assert!(most <= 4 * size + MAX_BASE_BYTES, "{name}: {most} bytes for a file of {size}");
}

fn layers() -> StateDictSpec {
    StateDictSpec::new().hidden(Activation::Relu, Keep::HALF)
}

fn from_torch(bytes: &[u8], layers: Option<&StateDictSpec>) -> Result<Mlp, Error> {
    StateDict::from_bytes(bytes)?.network(layers)
}

fn torch(bytes: &[u8]) -> Result<Mlp, Error> {
    FileKind::from_bytes(bytes)?;
    from_torch(bytes, Some(&layers()))
}

fn onnx(bytes: &[u8]) -> Result<Mlp, Error> {
    Model::from_bytes(bytes).network(None)
}

/// The only test in this program, because tests that run at the same time would be counted too.
#[test]
fn hostile_files_are_refused_and_take_little_memory() {
    data_files_use_memory_for_their_contents();
    svmlight_files_use_memory_for_their_entries();
    let taken = measured(&[0; 10], |bytes| {
        std::hint::black_box(vec![1_u8; 1 << 20]);
        onnx(bytes)
    });
    assert!(taken.1 > 1 << 20, "the counter counts");

    // The good files that they are made from can be read.
    torch(&hostile_files::good_torch()).unwrap();
    for (name, bytes) in hostile_files::good_onnx() {
        onnx(&bytes).expect(name);
    }
    let mut files = 0;
    for (of_torch, all) in [(true, hostile_files::torch()), (false, hostile_files::onnx())] {
        for file in all {
            let (read, most) =
                if of_torch { measured(&file.bytes, torch) } else { measured(&file.bytes, onnx) };
            let reason = read.map(drop).expect_err(file.name);
            assert!(reason.starts_with("a-file: "), "{}: {reason}", file.name);
            assert!(reason.contains(file.words), "{}: {reason}", file.name);
            assert!(reason.len() < 2000, "{}: a reason of {} bytes", file.name, reason.len());
            fits(file.name, file.bytes.len(), most);
            files += 1;
        }
    }
    assert!(files >= 30, "{files}");

    // Every prefix of the good files, and each file with one bit changed.
    for bytes in [vec![hostile_files::good_torch()], onnx_files()].concat() {
        let read = if bytes.starts_with(&[8]) { onnx } else { torch };
        for end in 0..bytes.len() {
            let (read, most) = measured(&bytes[..end], read);
            assert!(read.is_err(), "{end} of {}", bytes.len());
            assert!(most <= MAX_BASE_BYTES, "{end}: {most}");
        }
        for at in 0..bytes.len() {
            for bit in [1, 4, 64, 128] {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                // Many of these are still networks.
                let (_, most) = measured(&changed, read);
                assert!(most <= MAX_BASE_BYTES, "{at}: {most}");
            }
        }
    }

    hostile_external::external_tensors_are_read_or_refused();
    hostile_work::expensive_graphs_take_little_time_and_memory();

    // The maximum number of layers for a small file.
    let bytes = hostile_files::shared(2800, 1);
    let (read, most) = measured(&bytes, onnx);
    assert_eq!(read.unwrap().depth(), 2800);
    fits("many layers", bytes.len(), most);

    // Large good files use the memory of the network and little more.
    let large = Mlp::builder(2000).hidden(2000, Activation::Relu, Keep::HALF);
    let large = large.output(500, Loss::SoftmaxCrossEntropy).build().unwrap();
    let f32 = torch::to_bytes(&large, Scaling::Paper).unwrap();
    drop(large);
    let f16 = as_f16(&f32);
    for (name, bytes) in [("large f32", f32), ("large f16", f16)] {
        let (read, most) = measured(&bytes, torch);
        read.unwrap();
        fits(name, bytes.len(), most);
        let (read, most) = measured(&bytes, |bytes| from_torch(bytes, None));
        read.unwrap();
        fits(name, bytes.len(), most);
    }
}

/// Data files use memory for the data that they contain, whatever their headers state.
fn data_files_use_memory_for_their_contents() {
    let folder = tempfile::tempdir().unwrap();
    let [images, labels] = ["images", "labels"].map(|name| folder.path().join(name));
    let file = |path: &Path, sizes: &[u32], elements: usize, gzipped: bool| {
        let mut bytes = vec![0, 0, 8, sizes.len() as u8];
        sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes.resize(bytes.len() + elements, 7);
        if gzipped {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&bytes).unwrap();
            bytes = gzip.finish().unwrap();
        }
        fs::write(path, bytes).unwrap();
    };
    let read = || {
        let (data, most) = measured(&[], |_| Dataset::from_idx_files(&images, &labels));
        (data.map(|data| data.rows()), most)
    };
    /// Buffers, and the state of inflate.
    const SMALL: usize = 256 << 10;
    const MIB: usize = 1 << 20;
    file(&labels, &[8192], 8192, false);

    // 6.4 MB of images: only the matrix of 25.7 MB and 32 KB of labels.
    let all = 8192 * 784;
    let matrix = 4 * all;
    file(&images, &[8192, 28, 28], all, false);
    let (rows, most) = read();
    assert_eq!(rows, Ok(8192));
    println!("plain: {most}");
    assert!((matrix..matrix + SMALL).contains(&most), "{most}");
    // The data of a gzipped file grow: half of them exist twice when they are moved the last time.
    file(&images, &[8192, 28, 28], all, true);
    let (rows, most) = read();
    assert_eq!(rows, Ok(8192));
    println!("gzipped: {most}");
    assert!(most <= matrix + matrix / 2 + SMALL, "{most}");

    // A file states 512 MiB and is refused, or it states 256 and contains 8.
    file(&images, &[8192, 128, 128], 0, true);
    let (rows, most) = read();
    assert!(rows.unwrap_err().contains("take 536870912 bytes of memory"));
    assert!(most <= SMALL, "{most}");
    file(&images, &[8192, 64, 128], 2 * MIB, true);
    let (rows, most) = read();
    assert!(rows.unwrap_err().contains("truncated"));
    println!("truncated: {most}");
    assert!(most <= 3 * 8 * MIB + SMALL, "{most}");

    // One image with a huge number of pixels, of which the file contains few.
    file(&images, &[1, 8192, 8192], 2 * MIB, true);
    let (rows, most) = read();
    assert!(rows.unwrap_err().contains("truncated"));
    assert!(most <= 3 * 8 * MIB + SMALL, "{most}");

    // Labels without images.
    file(&images, &[2, 1, 1], 2, false);
    file(&labels, &[1 << 28], 1 << 20, true);
    let (rows, most) = read();
    assert!(rows.unwrap_err().contains("268435456 labels: expected 2"));
    assert!(most <= SMALL, "{most}");
}

/// Long lines, words and comments take no memory, and entries and rows what the documentation says.
fn svmlight_files_use_memory_for_their_entries() {
    /// Buffers, messages, and the state of inflate.
    const SMALL: usize = 256 << 10;
    let read = |bytes: &[u8]| {
        let (read, most) = measured(bytes, |bytes| Svmlight::new().from_bytes(bytes));
        (read.map(|read| (read.rows.rows(), read.rows.view().entries())), most - bytes.len())
    };
    let gzipped = |bytes: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    let long = [b"1 1:2 # ".to_vec(), vec![b'x'; 10 << 20]].concat();
    for bytes in [gzipped(&long), long] {
        let (found, most) = read(&bytes);
        assert_eq!(found, Ok((1, 1)));
        assert!(most <= SMALL, "{most}");
    }
    let (found, most) = read(&[b"1 1:".to_vec(), vec![b'7'; 10 << 20]].concat());
    assert!(found.unwrap_err().contains("a word of more than 256 bytes"));
    assert!(most <= SMALL, "{most}");

    // One more than a power of two: the memory is moved for it.
    let n = (1 << 20) + 1;
    let entries: String = (1..=n).map(|index| format!(" {index}:1")).collect();
    let (found, most) = read(format!("1{entries}").as_bytes());
    assert_eq!(found, Ok((1, n)));
    println!("entries: {most}");
    assert!((8 * n..5 * 4 * n + SMALL).contains(&most), "{most}");
    let (found, most) = read("1\n".repeat(n).as_bytes());
    assert_eq!(found, Ok((n, 0)));
    println!("rows: {most}");
    assert!((16 * n..5 * 8 * n + SMALL).contains(&most), "{most}");

    // Text that would take more than 256 MiB, as rows or as entries, in many members.
    let bomb = |start: &[u8], piece: &[u8], members: usize| {
        [gzipped(start), gzipped(&piece.repeat(1 << 16)).repeat(members)].concat()
    };
    for bomb in [bomb(b"", b"1 1:1\n", 9 << 4), bomb(b"1 ", b"1:1 ", 17 << 4)] {
        let (found, most) = read(&bomb);
        let words = found.unwrap_err();
        assert!(words.contains("bytes of memory: expected at most"), "{words}");
        println!("bomb of {}: {most}", bomb.len());
        assert!(most <= (256 << 20) + 256 * bomb.len() + SMALL, "{most}");
    }
}

fn onnx_files() -> Vec<Vec<u8>> {
    hostile_files::good_onnx().into_iter().map(|(_, bytes)| bytes).collect()
}

/// A file of f32 whose numbers are f16 instead, all 0.
fn as_f16(file: &[u8]) -> Vec<u8> {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: serde_json::Value = serde_json::from_slice(header).unwrap();
    header["__metadata__"].as_object_mut().unwrap().remove("thinnet.digest").unwrap();
    for (name, tensor) in header.as_object_mut().unwrap() {
        if name != "__metadata__" {
            tensor["dtype"] = "F16".into();
            for at in 0..2 {
                let offset = tensor["data_offsets"][at].as_u64().unwrap();
                tensor["data_offsets"][at] = (offset / 2).into();
            }
        }
    }
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data.len() / 2, 0);
    bytes
}
