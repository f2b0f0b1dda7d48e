//! Tokens as they lie in a mapped shard: borrowed, in the width of the dataset.

use std::ops::Range;

use crate::sequences::card::TokenType;

/// A run of tokens, not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSlice<'a> {
    /// One byte each.
    U8(&'a [u8]),
    /// Two bytes each.
    U16(&'a [u16]),
    /// Four bytes each.
    U32(&'a [u32]),
}

impl<'a> TokenSlice<'a> {
    /// Views little-endian bytes as tokens; `None` when they are misaligned or a fraction is left.
    pub(crate) fn from_bytes(bytes: &'a [u8], token_type: TokenType) -> Option<Self> {
        match token_type {
            TokenType::U8 => Some(Self::U8(bytes)),
            TokenType::U16 => bytemuck::try_cast_slice(bytes).ok().map(Self::U16),
            TokenType::U32 => bytemuck::try_cast_slice(bytes).ok().map(Self::U32),
        }
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(tokens) => tokens.len(),
            Self::U16(tokens) => tokens.len(),
            Self::U32(tokens) => tokens.len(),
        }
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The token at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<u32> {
        match self {
            Self::U8(tokens) => tokens.get(index).map(|&t| u32::from(t)),
            Self::U16(tokens) => tokens.get(index).map(|&t| u32::from(t)),
            Self::U32(tokens) => tokens.get(index).copied(),
        }
    }

    /// The tokens of `range`.
    ///
    /// # Panics
    /// If the range is not inside the slice, like slicing.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        match self {
            Self::U8(tokens) => Self::U8(&tokens[range]),
            Self::U16(tokens) => Self::U16(&tokens[range]),
            Self::U32(tokens) => Self::U32(&tokens[range]),
        }
    }

    /// Appends the tokens to `out`.
    pub fn extend_into(&self, out: &mut Vec<u32>) {
        match self {
            Self::U8(tokens) => out.extend(tokens.iter().map(|&t| u32::from(t))),
            Self::U16(tokens) => out.extend(tokens.iter().map(|&t| u32::from(t))),
            Self::U32(tokens) => out.extend_from_slice(tokens),
        }
    }

    /// The tokens, widened.
    pub fn to_vec(&self) -> Vec<u32> {
        let mut out = Vec::with_capacity(self.len());
        self.extend_into(&mut out);
        out
    }
}
