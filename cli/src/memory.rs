//! Memory as large as the data: where there is too little, that is an error.

/// An empty vector with room for so many.
///
/// # Errors
/// There is no memory for them.
pub fn reserve<T>(what: &str, len: usize) -> anyhow::Result<Vec<T>> {
    let mut room = Vec::new();
    room.try_reserve_exact(len)
        .map_err(|_| anyhow::anyhow!("{len} {what}: more than can be allocated"))?;
    Ok(room)
}

/// The numbers of so many rows.
///
/// # Errors
/// There is no memory for them.
pub fn row_numbers(rows: usize) -> anyhow::Result<Vec<u32>> {
    let mut numbers = reserve("rows", rows)?;
    numbers.extend((0..rows).map(|row| row as u32));
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_numbered_or_too_many() {
        assert_eq!(row_numbers(3).unwrap(), [0, 1, 2]);
        let error = row_numbers(usize::MAX).unwrap_err().to_string();
        assert!(error.contains(&format!("{} rows: more than", usize::MAX)), "{error}");
    }
}
