# The Python environment and the workers; sourced by run.sh and time_to_error.sh.
root=$(cd "$peers/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
python=${PYTHON:-python3}
venv=${PEERS_VENV:-$root/target/peers/venv}
thinnet_worker=$target/release/thinnet-peer
candle_worker=$target/peers-candle/release/candle-peer
tract_worker=$target/peers-tract/release/tract-peer
rten_worker=$target/peers-rten/release/rten-peer
export PYTHONDONTWRITEBYTECODE=1
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}

command -v "$python" >/dev/null || { echo "error: $python is not installed" >&2; exit 1; }

# Makes the Python environment, or updates it to match requirements.txt.
make_environment() {
    local wanted=$peers/requirements.txt stamp=$venv/requirements.txt
    if [[ -n ${PEERS_VENV:-} ]]; then
        [[ -x $venv/bin/python ]] || { echo "error: PEERS_VENV: no bin/python in $venv" >&2; exit 1; }
        return
    fi
    if cmp --silent "$wanted" "$stamp"; then
        return
    fi
    echo "making the Python environment" >&2
    [[ -x $venv/bin/python ]] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$wanted"
    cp "$wanted" "$stamp"
}

build_thinnet() {
    cargo build --release --quiet --locked --manifest-path "$peers/ours/Cargo.toml" \
        --target-dir "$target"
}

# Compiled for this CPU, as candle's users do for its elementwise operations. thinnet is a
# generic build.
build_candle() {
    RUSTFLAGS="-C target-cpu=native" cargo build --release --quiet --locked \
        --manifest-path "$peers/candle/Cargo.toml" --target-dir "$target/peers-candle" ||
        echo "warning: candle does not build: its rows will say so" >&2
}

# The same; tract chooses its kernels at run time.
build_tract() {
    RUSTFLAGS="-C target-cpu=native" cargo build --release --quiet --locked \
        --manifest-path "$peers/tract/Cargo.toml" --target-dir "$target/peers-tract" ||
        echo "warning: tract does not build: its rows will say so" >&2
}

# The same.
build_rten() {
    RUSTFLAGS="-C target-cpu=native" cargo build --release --quiet --locked \
        --manifest-path "$peers/rten/Cargo.toml" --target-dir "$target/peers-rten" ||
        echo "warning: rten does not build: its rows will say so" >&2
}
