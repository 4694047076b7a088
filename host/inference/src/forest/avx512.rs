//! The inner loop over complete trees on processors with AVX-512: sixteen trees
//! in the lanes of a register. It answers what the portable loop answers, bit
//! for bit.
//!
//! Down to the fourth level all nodes of the sixteen trees are read and each
//! lane keeps the one it is at; below, where nodes are many, lanes read theirs.
//! A row of up to 32 features lives in registers.
//!
//! This is the only unsafe code of the crate. Each unsafe block reads memory
//! through a reference to an array whose length is a power of two, at indices
//! masked with that length less one; so no model and no row can make it read
//! elsewhere. And [`Avx512`], of which there is none where the instructions are
//! missing, is what lets them run.

use super::{
    complete::{Cell, Complete, Group, LANES},
    flat::Block,
};
use std::arch::x86_64::*;

/// Proof that this processor has AVX-512.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512(());

/// Thresholds and slots, one a lane.
#[derive(Clone, Copy)]
struct Splits {
    thresholds: __m512,
    slots: __m512i,
}

/// A laid-out row, and its first 64 values: all there are, in the narrowest.
struct Row<'a, const W: usize> {
    values: &'a [f32; W],
    registers: [__m512; 4],
}

impl Avx512 {
    /// Looks at the processor.
    pub(super) fn detect() -> Option<Self> {
        std::arch::is_x86_feature_detected!("avx512f").then_some(Self(()))
    }

    /// Adds the leaf sums of each laid-out row to its scores.
    #[expect(unsafe_code, reason = "AVX-512 has to be asked for by name")]
    pub(super) fn add<const W: usize>(
        self,
        complete: &Complete,
        block: Block<'_, W>,
        targets: usize,
        out: &mut [f64],
    ) {
        if block.missing {
            // SAFETY: `self` exists, so `detect` found AVX-512.
            unsafe { add::<W, true>(complete, block.rows, targets, out) }
        } else {
            // SAFETY: as above.
            unsafe { add::<W, false>(complete, block.rows, targets, out) }
        }
    }
}

/// With `MISSING` false the two copies in a row are equal.
#[target_feature(enable = "avx512f")]
fn add<const W: usize, const MISSING: bool>(
    complete: &Complete,
    rows: &[[f32; W]],
    targets: usize,
    out: &mut [f64],
) {
    for group in &complete.groups {
        match group.size {
            2 => add_sized::<2, W, MISSING>(complete, group, rows, targets, out),
            4 => add_sized::<4, W, MISSING>(complete, group, rows, targets, out),
            8 => add_sized::<8, W, MISSING>(complete, group, rows, targets, out),
            16 => add_sized::<16, W, MISSING>(complete, group, rows, targets, out),
            32 => add_sized::<32, W, MISSING>(complete, group, rows, targets, out),
            64 => add_sized::<64, W, MISSING>(complete, group, rows, targets, out),
            128 => add_sized::<128, W, MISSING>(complete, group, rows, targets, out),
            _ => add_sized::<256, W, MISSING>(complete, group, rows, targets, out),
        }
    }
}

#[target_feature(enable = "avx512f")]
fn add_sized<const N: usize, const W: usize, const MISSING: bool>(
    complete: &Complete,
    group: &Group,
    rows: &[[f32; W]],
    targets: usize,
    out: &mut [f64],
) {
    let Some(cells) = complete.cells::<N>(group) else {
        return;
    };
    for (row, scores) in rows.iter().zip(out.chunks_exact_mut(targets)) {
        let leaves = descend::<N, W, MISSING>(cells, &in_registers(row));
        let Some(target) = group.target else {
            complete.add_leaves(group, indices(leaves, N), scores);
            continue;
        };
        let (Some(values), Some(score)) = (complete.values::<N>(group), scores.get_mut(target))
        else {
            return;
        };
        let values = gather_values(values, leaves);
        let first = _mm512_cvtps_pd(_mm512_castps512_ps256(values));
        let swapped = _mm512_shuffle_f32x4::<0b01_00_11_10>(values, values);
        let second = _mm512_cvtps_pd(_mm512_castps512_ps256(swapped));
        *score += _mm512_reduce_add_pd(_mm512_add_pd(first, second));
    }
}

/// The leaf that each tree leads the row to, plus a multiple of `N`.
#[inline]
#[target_feature(enable = "avx512f")]
fn descend<const N: usize, const W: usize, const MISSING: bool>(
    cells: &[Cell; N],
    row: &Row<'_, W>,
) -> __m512i {
    let one = _mm512_set1_epi32(1);
    let mut at = one;
    // Which lanes went low at the first levels.
    let mut low = [0; 3];
    for level in 0..N.trailing_zeros() as usize {
        let [first, second, third] = low;
        // The outcome of an early step is known sooner, so it is used first.
        let by_first = |a, b| choose(first, top(cells, a), top(cells, b));
        let by_second = |a, b, c, d| choose(second, by_first(a, b), by_first(c, d));
        let splits = match level {
            0 => top(cells, 1),
            1 => by_first(2, 3),
            2 => choose(second, by_first(4, 6), by_first(5, 7)),
            3 => choose(third, by_second(8, 12, 10, 14), by_second(9, 13, 11, 15)),
            _ => gather_splits(cells, at),
        };
        let values = look_up::<W, MISSING>(row, splits.slots);
        let goes_low = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(values, splits.thresholds);
        if let Some(low) = low.get_mut(level) {
            *low = goes_low;
        }
        at = _mm512_add_epi32(at, at);
        at = _mm512_mask_add_epi32(at, !goes_low, at, one);
    }
    at
}

/// Where a lane's bit is set the first, else the second.
#[inline]
#[target_feature(enable = "avx512f")]
fn choose(mask: __mmask16, yes: Splits, no: Splits) -> Splits {
    Splits {
        thresholds: _mm512_mask_blend_ps(mask, no.thresholds, yes.thresholds),
        slots: _mm512_mask_blend_epi32(mask, no.slots, yes.slots),
    }
}

/// The row's value in each slot; slots beyond the row are taken modulo its width.
#[inline]
#[target_feature(enable = "avx512f")]
fn look_up<const W: usize, const MISSING: bool>(row: &Row<'_, W>, slots: __m512i) -> __m512 {
    if W > 64 {
        return gather_row(row.values, slots);
    }
    let [a, b, c, d] = row.registers;
    let low = _mm512_permutex2var_ps(a, slots, b);
    if !MISSING {
        return low;
    }
    let high = _mm512_permutex2var_ps(c, slots, d);
    let in_second_half = _mm512_test_epi32_mask(slots, _mm512_set1_epi32(32));
    _mm512_mask_blend_ps(in_second_half, low, high)
}

#[target_feature(enable = "avx512f")]
fn in_registers<const W: usize>(values: &[f32; W]) -> Row<'_, W> {
    let registers = match values.as_chunks().0 {
        [a, b, c, d, ..] => [load(a), load(b), load(c), load(d)],
        _ => [_mm512_setzero_ps(); 4],
    };
    Row { values, registers }
}

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "vector loads take pointers")]
fn load(values: &[f32; LANES]) -> __m512 {
    // SAFETY: reads the 16 values.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

/// A node of the first four levels, in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "vector loads take pointers")]
fn top<const N: usize>(cells: &[Cell; N], node: usize) -> Splits {
    let cell = cells[node & (N - 1)].0.as_ptr();
    // SAFETY: reads the first and the second 16 words of the cell's 32.
    unsafe {
        Splits {
            thresholds: _mm512_loadu_ps(cell.cast()),
            slots: _mm512_loadu_si512(cell.add(LANES).cast()),
        }
    }
}

/// The deeper node that each lane is at; modulo `N`.
#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "gathers take pointers")]
fn gather_splits<const N: usize>(cells: &[Cell; N], at: __m512i) -> Splits {
    const { assert!(N.is_power_of_two() && size_of::<Cell>() == 8 * LANES) };
    let node = _mm512_and_si512(at, _mm512_set1_epi32(N as i32 - 1));
    let index = _mm512_add_epi32(_mm512_slli_epi32::<4>(node), lane_numbers());
    let even = _mm512_and_si512(index, _mm512_set1_epi64(0xFFFF_FFFF));
    let odd = _mm512_srli_epi64::<32>(index);
    let cells = cells.as_ptr().cast();
    // SAFETY: `index` is 16 times a node below N, plus a lane below 16, and the
    // N cells are 16 times 8 bytes each.
    let (even, odd) = unsafe {
        (
            _mm512_i64gather_epi64::<8>(even, cells),
            _mm512_i64gather_epi64::<8>(odd, cells),
        )
    };
    // Each of the 8 bytes: the threshold in the lower half, the slot in the upper.
    let odd_lanes = 0b1010_1010_1010_1010;
    let thresholds = _mm512_mask_blend_epi32(odd_lanes, even, _mm512_slli_epi64::<32>(odd));
    Splits {
        thresholds: _mm512_castsi512_ps(thresholds),
        slots: _mm512_mask_blend_epi32(odd_lanes, _mm512_srli_epi64::<32>(even), odd),
    }
}

/// Each lane's value at its leaf; modulo `N`.
#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "gathers take pointers")]
fn gather_values<const N: usize>(values: &[[f32; N]; LANES], leaves: __m512i) -> __m512 {
    const { assert!(N.is_power_of_two() && N <= 256) };
    let leaf = _mm512_and_si512(leaves, _mm512_set1_epi32(N as i32 - 1));
    let first = _mm512_mullo_epi32(lane_numbers(), _mm512_set1_epi32(N as i32));
    let index = _mm512_add_epi32(first, leaf);
    // SAFETY: `index` is N times a lane below 16, plus a leaf below N.
    unsafe { _mm512_i32gather_ps::<4>(index, values.as_ptr().cast()) }
}

/// Each lane's value of the row; modulo `W`.
#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "gathers take pointers")]
fn gather_row<const W: usize>(row: &[f32; W], slots: __m512i) -> __m512 {
    const { assert!(W.is_power_of_two() && W <= 1 << 20) };
    let index = _mm512_and_si512(slots, _mm512_set1_epi32(W as i32 - 1));
    // SAFETY: `index` is below W.
    unsafe { _mm512_i32gather_ps::<4>(index, row.as_ptr()) }
}

/// The leaf of each lane, modulo `size`, a power of two.
#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "vector stores take pointers")]
fn indices(lanes: __m512i, size: usize) -> [usize; LANES] {
    let mut indices = [0u32; LANES];
    // SAFETY: writes the 16 words.
    unsafe { _mm512_storeu_si512(indices.as_mut_ptr().cast(), lanes) }
    indices.map(|index| index as usize & (size - 1))
}

/// 0 to 15
#[inline]
#[target_feature(enable = "avx512f")]
fn lane_numbers() -> __m512i {
    _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
}
