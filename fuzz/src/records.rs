//! Inputs that consist of records: what the mutations of bytes would take for ever to find.

use libfuzzer_sys::fuzzer_mutate;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Half of the time any mutation, and else one of whole records, which end like this: one goes, comes twice, comes
/// earlier or later, or has a word of another one in place of one of its own. Gives back the new size.
pub fn mutated(data: &mut [u8], size: usize, size_max: usize, seed: u32, end: &[u8]) -> usize {
    let mut random = StdRng::seed_from_u64(u64::from(seed));
    let before = data[..size].to_vec();
    let mut records = split(&before, end);
    if records.len() < 2 || random.random() {
        return fuzzer_mutate(data, size, size_max);
    }
    let (one, other) = (
        random.random_range(0..records.len()),
        random.random_range(0..records.len()),
    );
    match random.random_range(0..4) {
        0 => drop(records.remove(one)),
        1 => records.insert(other, records[one]),
        2 => records.swap(one, other),
        _ => {
            let (place, word) = (
                some_word(records[one], &mut random),
                some_word(records[other], &mut random),
            );
            let new = [
                &records[one][..place.start],
                &records[other][word],
                &records[one][place.end..],
            ]
            .concat();
            records[one] = &new;
            return put(data, &records, size_max);
        }
    }
    put(data, &records, size_max)
}

fn split<'a>(mut data: &'a [u8], end: &[u8]) -> Vec<&'a [u8]> {
    let mut records = Vec::new();
    while let Some(at) = data.windows(end.len()).position(|window| window == end) {
        let (record, rest) = data.split_at(at + end.len());
        records.push(record);
        data = rest;
    }
    records.push(data);
    records
}

/// Where a word stands; nowhere in particular, if there is none.
fn some_word(record: &[u8], random: &mut StdRng) -> std::ops::Range<usize> {
    let is_between = |byte: &u8| b"\r\n\t :,\"{}[]".contains(byte);
    let mut start = 0;
    let mut words = Vec::new();
    for word in record.split(is_between) {
        if !word.is_empty() {
            words.push(start..start + word.len());
        }
        start += word.len() + 1;
    }
    if words.is_empty() {
        return 0..0;
    }
    words.swap_remove(random.random_range(0..words.len()))
}

fn put(data: &mut [u8], records: &[&[u8]], size_max: usize) -> usize {
    let all = records.concat();
    let size = all.len().min(size_max);
    data[..size].copy_from_slice(&all[..size]);
    size
}
