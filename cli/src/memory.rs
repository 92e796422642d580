//! Memory as large as the data: where there is too little, that is an error.

/// An empty vector with room for `len` elements; `what` names them in the error.
///
/// # Errors
/// There is no memory for them.
pub fn reserve<T>(what: &str, len: usize) -> anyhow::Result<Vec<T>> {
    let mut elements = Vec::new();
    elements
        .try_reserve_exact(len)
        .map_err(|_| anyhow::anyhow!("{len} {what}: more than can be allocated"))?;
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_reserved_is_counted() {
        assert!(reserve::<u32>("rows", 3).unwrap().capacity() >= 3);
        let error = reserve::<u32>("rows", usize::MAX).unwrap_err().to_string();
        assert!(error.contains(&format!("{} rows: more than", usize::MAX)), "{error}");
    }
}
