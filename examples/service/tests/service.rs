//! The service as its users meet it: over a socket.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use thinnet::{
    Keep,
    nn::{Activation, IntegerMlp, Loss, Mlp, MlpBuilder},
};

const INPUTS: usize = 20;

/// A running service.
struct Running {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Running {
    fn start(width: usize, more: &[&str]) -> Self {
        Self::serve(|model| network(width).build().unwrap().save(model).unwrap(), more)
    }

    /// Serves a model that `save` writes.
    fn serve(save: impl FnOnce(&Path), more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("m");
        save(&model);
        let mut process = Command::new(env!("CARGO_BIN_EXE_thinnet-service"))
            .args(["--listen", "127.0.0.1:0", "--model"])
            .arg(&model)
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").expect(&line);
        Self { address: address.parse().unwrap(), process, _folder: folder }
    }

    /// The status and the body of an answer.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        ask(self.address, method, path, body)
    }

    fn predict(&self, body: &Value) -> (u16, Value) {
        let (status, text) = self.ask("POST", "/predict", body.to_string().as_bytes());
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
    }

    /// Sends SIGTERM.
    fn terminate(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn network(width: usize) -> MlpBuilder {
    Mlp::builder(INPUTS)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(width, Activation::Relu, Keep::HALF)
        .hidden(width, Activation::Relu, Keep::HALF)
        .output(3, Loss::SoftmaxCrossEntropy)
}

fn ask(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    // A server that refuses a body early may close before it has read it.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn inputs(row: usize) -> Vec<f64> {
    (0..INPUTS).map(|i| ((row * INPUTS + i) as f64).sin()).collect()
}

#[test]
fn the_three_modes_answer() {
    let service = Running::start(40, &[]);
    assert_eq!(service.ask("GET", "/health", b""), (200, "ok\n".to_owned()));
    let (status, scale) = service.predict(&json!({ "inputs": inputs(1) }));
    assert_eq!(status, 200);
    let mean: f64 = scale["mean"].as_array().unwrap().iter().map(|y| y.as_f64().unwrap()).sum();
    assert!((mean - 1.0).abs() < 1e-5 && scale["entropy"].as_f64().is_some_and(|h| h > 0.0));
    let mc = json!({ "inputs": inputs(1), "mode": "mc", "seed": 7, "samples": 30 });
    let (_, first) = service.predict(&mc);
    assert_eq!((&first["samples"], service.predict(&mc).1), (&json!(30), first.clone()));
    let mc = json!({ "inputs": inputs(1), "mode": "mc", "seed": 8, "samples": 30 });
    assert_ne!(service.predict(&mc).1["mean"], first["mean"]);
    let (_, moments) = service.predict(&json!({ "inputs": inputs(1), "mode": "moments" }));
    assert!(moments["mutual_information"].as_f64().unwrap() > 0.0);
    assert_eq!(moments["variance"].as_array().unwrap().len(), 3);
    let (status, text) = service.ask("GET", "/metrics", b"");
    assert_eq!(status, 200);
    for line in ["thinnet_answers_total{status=\"200\"} 5", "thinnet_samples_sum 90", "# EOF"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn what_cannot_be_answered_is_refused_clearly() {
    let service = Running::start(40, &["--body", "2000", "--samples", "100"]);
    let refused = |body: &str, status: u16, message: &str| {
        let (got, text) = service.ask("POST", "/predict", body.as_bytes());
        let error: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        let error = error["error"].as_str().unwrap();
        assert!(got == status && error.contains(message), "{body}: {got} {error}");
    };
    let with = |more: &str| format!("{{\"inputs\": {}{more}}}", json!(inputs(1)));
    refused("{\"inputs\": [1, 2", 400, "EOF while parsing");
    refused("", 400, "EOF while parsing");
    refused("{}", 400, "missing field `inputs`");
    refused("[1, 2]", 400, "expected a sequence");
    refused("{\"inputs\": [1, null]}", 400, "expected f32");
    refused("{\"inputs\": [NaN]}", 400, "expected value");
    refused("{\"inputs\": [1e400]}", 400, "number out of range");
    refused(&with(", \"mod\": \"mc\""), 400, "unknown field `mod`");
    refused(&with(", \"mode\": \"median\""), 400, "unknown variant `median`");
    refused(&with(", \"seed\": -1"), 400, "invalid value");
    refused("{\"inputs\": [1, 2]}", 422, "inputs: 2 numbers, expected 20");
    let large = [&inputs(1)[..19], &[1e39]].concat();
    let large = json!({ "inputs": large }).to_string();
    refused(&large, 400, "number out of range");
    refused(&with(", \"samples\": 3"), 422, "samples and tolerance are for the mode mc");
    refused(
        &with(", \"mode\": \"mc\", \"samples\": 0"),
        422,
        "samples: expected at least one, got 0",
    );
    refused(&with(", \"mode\": \"mc\", \"samples\": 101"), 422, "expected at most 100");
    refused(
        &with(", \"mode\": \"mc\", \"tolerance\": -1"),
        422,
        "tolerance: expected a finite number of at least 0, got -1.0",
    );
    refused(&format!("{}{}", with(""), " ".repeat(3000)), 413, "limit");
    assert_eq!(service.ask("GET", "/nothing", b"").0, 404);
    assert_eq!(service.ask("GET", "/predict", b"").0, 405);
    // It still serves.
    assert_eq!(service.predict(&json!({ "inputs": inputs(1) })).0, 200);
}

/// A row of which two inputs in three are 0, in both forms.
fn sparse(row: usize) -> (Value, Value) {
    let inputs = inputs(row).into_iter().enumerate();
    let (indices, values): (Vec<_>, Vec<_>) =
        inputs.filter(|(i, _)| (i + row).is_multiple_of(3)).unzip();
    let mut dense = [0.0; INPUTS];
    for (&i, &value) in indices.iter().zip(&values) {
        dense[i] = value;
    }
    (json!({ "indices": indices, "values": values }), json!({ "inputs": dense }))
}

/// A sparse row has the answer of the same row with its zeros, also while both are asked for at once.
#[test]
fn sparse_rows_are_answered_like_dense_ones() {
    let save_integers = |path: &Path| {
        let mlp = network(40).build().unwrap();
        let rows: Vec<f32> = (0..4 * INPUTS).map(|i| (i as f32).sin()).collect();
        let rows = thinnet::tensor::MatrixView::new(&rows, 4, INPUTS).unwrap();
        let integers = IntegerMlp::new(&mlp, &thinnet::data::Batch::dense(rows)).unwrap();
        integers.save(path).unwrap();
    };
    let limits = ["--gather-us", "20000"];
    let mut answers = Vec::new();
    for service in [
        Running::start(40, &limits),
        Running::serve(
            |path| network(40).sparse_input().build().unwrap().save(path).unwrap(),
            &limits,
        ),
        Running::serve(save_integers, &limits),
    ] {
        let address = service.address;
        for mode in ["scale", "mc", "moments"] {
            let asked: Vec<_> = (0..6)
                .flat_map(|row| {
                    let (sparse, dense) = sparse(row);
                    [sparse, dense].map(|mut body| {
                        body["mode"] = json!(mode);
                        body["seed"] = json!(row);
                        body.to_string().into_bytes()
                    })
                })
                .collect();
            let said: Vec<_> = std::thread::scope(|scope| {
                let asking: Vec<_> = asked
                    .iter()
                    .map(|body| scope.spawn(move || ask(address, "POST", "/predict", body)))
                    .collect();
                asking.into_iter().map(|one| one.join().unwrap()).collect()
            });
            for pair in said.chunks(2) {
                assert_eq!(pair[0].0, 200, "{mode}: {}", pair[0].1);
                assert_eq!(pair[0], pair[1], "{mode}");
            }
            assert_ne!(said[0], said[2]);
            answers.push(said[0].clone());
        }
        // No input has a value.
        let nothing = service.predict(&json!({ "indices": [], "values": [] }));
        assert_eq!(nothing, service.predict(&json!({ "inputs": vec![0.0; INPUTS] })));
        assert_eq!(nothing.0, 200);
    }
    // The three models are different, and the last one is the one with integers.
    let scale: Vec<_> = answers.iter().step_by(3).collect();
    assert!(scale[0] == scale[1] && scale[1] != scale[2], "{scale:?}");
    assert_ne!(answers[1], answers[4]);
}

#[test]
fn sparse_rows_that_are_none_are_refused_clearly() {
    let service = Running::start(40, &["--gather-us", "200000"]);
    for (body, status, message) in [
        (r#"{"indices": [1]}"#, 400, "missing field `values`: expected it beside `indices`"),
        (r#"{"values": [1]}"#, 400, "missing field `indices`: expected it beside `values`"),
        (r#"{"indices": [1], "values": [1], "inputs": [1]}"#, 400, "`inputs` beside `indices`"),
        (r#"{"indices": [1], "inputs": [1]}"#, 400, "`inputs` beside `indices`"),
        (r#"{"indices": [-1], "values": [1]}"#, 400, "invalid value: integer `-1`"),
        (r#"{"indices": [1.5], "values": [1]}"#, 400, "invalid type: floating point `1.5`"),
        (r#"{"indices": [4294967296], "values": [1]}"#, 400, "invalid value"),
        (r#"{"indices": [1], "values": [1e39]}"#, 400, "number out of range"),
        (r#"{"indices": [1], "values": [null]}"#, 400, "expected f32"),
        (r#"{"indices": [1], "values": [NaN]}"#, 400, "expected value"),
        (r#"{"indices": {"1": 2}}"#, 400, "expected a sequence"),
        (r#"{"indices": [1, 2], "values": [1]}"#, 422, "expected 2, got 1"),
        (
            r#"{"indices": [3, 20], "values": [1, 1]}"#,
            422,
            "column 20 in sparse row 0: expected a column below 20",
        ),
        (
            r#"{"indices": [4294967295], "values": [1]}"#,
            422,
            "column 4294967295 in sparse row 0: expected a column below 20",
        ),
        (r#"{"indices": [5, 3], "values": [1, 1]}"#, 422, "column 3 comes after column 5"),
        (r#"{"indices": [3, 3], "values": [1, 1]}"#, 422, "column 3 comes after column 3"),
    ] {
        let (got, text) = service.ask("POST", "/predict", body.as_bytes());
        let error: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        let error = error["error"].as_str().unwrap();
        assert!(got == status && error.contains(message), "{body}: {got} {error}");
    }
    // One that overflows the network is refused by itself, and not with those in its batch.
    let address = service.address;
    let huge = json!({ "indices": [0, 1, 2, 3], "values": [3e38, 3e38, 3e38, 3e38] });
    let bodies: Vec<_> =
        (0..3).map(|row| if row == 1 { huge.clone() } else { sparse(row).0 }).collect();
    let said: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = bodies
            .iter()
            .map(|body| {
                scope.spawn(move || ask(address, "POST", "/predict", body.to_string().as_bytes()))
            })
            .collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!([said[0].0, said[1].0, said[2].0], [200, 422, 200], "{said:?}");
    assert!(said[1].1.contains("for row 0"), "{}", said[1].1);
}

/// Slow requests, more of them than the queue takes.
const SLOW: usize = 40;

fn slow(row: usize) -> Vec<u8> {
    let slow = json!({ "inputs": inputs(row), "mode": "mc", "samples": 1000, "seed": row });
    slow.to_string().into_bytes()
}

#[test]
fn a_full_queue_is_answered_with_503_and_the_rest_is_served() {
    let service = Running::start(512, &["--queue", "4", "--batch", "2", "--gather-us", "0"]);
    let address = service.address;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..SLOW)
            .map(|row| scope.spawn(move || ask(address, "POST", "/predict", &slow(row)).0))
            .collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let count = |status| statuses.iter().filter(|&&one| one == status).count();
    assert!(count(200) >= 4 && count(503) > 0, "{statuses:?}");
    assert_eq!(count(200) + count(503), SLOW);
    let (_, text) = service.ask("POST", "/predict", &slow(0));
    assert!(text.contains("mutual_information"));
}

/// A row that overflows the network is refused by itself; those that it is gathered with
/// are answered.
#[test]
fn answers_that_are_not_finite_are_422() {
    let service = Running::start(40, &["--gather-us", "200000"]);
    let address = service.address;
    for mode in ["scale", "mc", "moments"] {
        let answers: Vec<_> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..6)
                .map(|row| {
                    let inputs = if row % 3 == 1 { vec![3e38; INPUTS] } else { inputs(row) };
                    let body = json!({ "inputs": inputs, "mode": mode }).to_string();
                    scope.spawn(move || ask(address, "POST", "/predict", body.as_bytes()))
                })
                .collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for (row, (status, text)) in answers.into_iter().enumerate() {
            assert!(!text.contains("null"), "{text}");
            if row % 3 == 1 {
                assert!(status == 422 && text.contains("for row 0"), "{mode} {status} {text}");
                assert!(text.contains("expected a finite number"), "{mode} {text}");
            } else {
                assert!(status == 200 && text.contains("\"mean\""), "{mode} {status} {text}");
            }
        }
    }
}

/// What clients asked that hung up is not computed: the samples of those that waited are
/// all that were taken.
#[test]
fn nothing_is_computed_for_clients_that_hung_up() {
    let service = Running::start(512, &["--batch", "64", "--samples", "100000"]);
    let address = service.address;
    let long = json!({ "inputs": inputs(0), "mode": "mc", "samples": 40_000 }).to_string();
    let metric = |line: &str| service.ask("GET", "/metrics", b"").1.contains(line);
    let wait_for = |line: &str| {
        while !metric(line) {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let first = std::thread::spawn(move || ask(address, "POST", "/predict", long.as_bytes()).0);
    wait_for("thinnet_questions_total 1\n");
    // They are read while the first is computed, and leave.
    let mut leaving: Vec<_> = (0..6).map(|_| TcpStream::connect(address).unwrap()).collect();
    for (row, stream) in leaving.iter_mut().enumerate() {
        let body = slow(row);
        let head = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length:";
        write!(stream, "{head} {}\r\n\r\n", body.len()).unwrap();
        stream.write_all(&body).unwrap();
    }
    wait_for("thinnet_questions_total 7\n");
    drop(leaving);
    wait_for("thinnet_hangups_total 6\n");
    assert!(!metric("status=\"200\""), "the first was over too early to show anything");
    assert_eq!(first.join().unwrap(), 200);
    let mc = json!({ "inputs": inputs(1), "mode": "mc", "samples": 30 });
    assert_eq!(service.predict(&mc).0, 200);
    assert!(metric("thinnet_samples_sum 40030"), "{}", service.ask("GET", "/metrics", b"").1);
}

#[test]
fn what_was_begun_is_answered_on_shutdown() {
    let limits = ["--queue", "100", "--batch", "4", "--shutdown-s", "100"];
    let mut service = Running::start(512, &limits);
    let address = service.address;
    let asking: Vec<_> = (0..SLOW)
        .map(|row| {
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let body = slow(row);
                let head = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length:";
                write!(stream, "{head} {}\r\n\r\n", body.len()).unwrap();
                stream.write_all(&body).unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                text
            })
        })
        .collect();
    // Once it has read them all, they are in its hands.
    let all = format!("thinnet_questions_total {SLOW}\n");
    while !service.ask("GET", "/metrics", b"").1.contains(&all) {
        std::thread::sleep(Duration::from_millis(1));
    }
    service.terminate();
    for one in asking {
        let text = one.join().unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    }
    assert!(service.process.wait().unwrap().success());
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_client_that_sends_half_a_request_does_not_keep_the_service() {
    let mut service = Running::start(40, &["--shutdown-s", "1"]);
    let mut stream = TcpStream::connect(service.address).unwrap();
    stream.write_all(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{").unwrap();
    assert_eq!(service.predict(&json!({ "inputs": inputs(1) })).0, 200);
    service.terminate();
    assert!(service.process.wait().unwrap().success());
    drop(stream);
}

#[test]
fn a_model_that_is_none_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_thinnet-service"))
        .args(["--model", "nothing"])
        .current_dir(Path::new("/"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("nothing"));
}
