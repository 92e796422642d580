//! Allocations as large as the data. If there is too little memory, that is an error.

/// Returns an empty vector with room for `len` elements; `what` names them in the error.
///
/// # Errors
/// They cannot be allocated.
pub fn reserve<T>(what: &str, len: usize) -> anyhow::Result<Vec<T>> {
    let mut elements = Vec::new();
    elements
        .try_reserve_exact(len)
        .map_err(|_| anyhow::anyhow!("not enough memory for {len} {what}"))?;
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_has_the_number_of_elements() {
        assert!(reserve::<u32>("rows", 3).unwrap().capacity() >= 3);
        let error = reserve::<u32>("rows", usize::MAX).unwrap_err().to_string();
        assert!(error.ends_with(&format!("{} rows", usize::MAX)), "{error}");
    }
}
