//! Writes ONNX files, also those that are none.

/// A protocol buffers message, field by field.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn varint(mut self, field: u64, value: u64) -> Self {
        self.push_varint(field << 3);
        self.push_varint(value);
        self
    }

    pub fn bytes(mut self, field: u64, value: impl AsRef<[u8]>) -> Self {
        self.push_varint(field << 3 | 2);
        self.push_varint(value.as_ref().len() as u64);
        self.0.extend(value.as_ref());
        self
    }

    pub fn message(self, field: u64, value: Self) -> Self {
        self.bytes(field, value.0)
    }

    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.push_varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn push_varint(&mut self, mut value: u64) {
        while value >= 128 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

fn repeated(message: Message, field: u64, values: &[&str]) -> Message {
    values.iter().fold(message, |message, value| message.bytes(field, value))
}

/// A node of one output.
pub fn node(op: &str, inputs: &[&str], output: &str) -> Message {
    repeated(Message::default(), 1, inputs)
        .bytes(2, output)
        .bytes(3, format!("the {op}"))
        .bytes(4, op)
}

/// With an attribute that is a whole number.
pub fn with_int(node: Message, name: &str, value: u64) -> Message {
    node.message(5, Message::default().bytes(1, name).varint(3, value).varint(20, 2))
}

/// With an attribute that is an f32.
pub fn with_float(node: Message, name: &str, value: f32) -> Message {
    node.message(5, Message::default().bytes(1, name).float(2, value).varint(20, 1))
}

/// A tensor with its shape and its kind of elements, without data.
pub fn bare(name: &str, kind: u64, dims: &[u64]) -> Message {
    let shape = dims.iter().fold(Message::default(), |message, &size| message.varint(1, size));
    shape.varint(2, kind).bytes(8, name)
}

/// A tensor of f32.
pub fn floats(name: &str, dims: &[u64], values: &[f32]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    bare(name, 1, dims).bytes(9, raw)
}

/// An input or output of this kind and shape.
pub fn value_info(name: &str, kind: u64, sizes: &[u64]) -> Message {
    let shape = sizes
        .iter()
        .fold(Message::default(), |shape, &n| shape.message(1, Message::default().varint(1, n)));
    let tensor = Message::default().varint(1, kind).message(2, shape);
    Message::default().bytes(1, name).message(2, Message::default().message(1, tensor))
}

/// A whole file.
pub fn model(opset: u64, graph: Message) -> Message {
    let import = Message::default().bytes(1, "").varint(2, opset);
    Message::default().varint(1, 10).message(8, import).message(7, graph)
}
