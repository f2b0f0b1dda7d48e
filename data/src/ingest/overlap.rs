//! Three things at once: the next piece is read, this one is worked on, the last one is stored.
//!
//! Pieces are cut, worked on and stored in order, so the number of threads changes nothing in the
//! result. Memory: three pieces.

use crate::error::Result;

/// Reads until `next` gives nothing more; the first error ends it.
pub(crate) fn run<C, W>(
    next: &mut (dyn FnMut() -> Result<Option<C>> + Send),
    work: &(dyn Fn(C) -> W + Sync),
    store: &mut (dyn FnMut(W) -> Result<()> + Send),
) -> Result<()>
where
    C: Send,
    W: Send,
{
    let mut worked: Option<W> = None;
    let mut piece = next()?;
    while let Some(current) = piece {
        let last = worked.take();
        let (stored, (now, following)) = rayon::join(
            || last.map_or(Ok(()), &mut *store),
            || rayon::join(|| work(current), &mut *next),
        );
        stored?;
        worked = Some(now);
        piece = following?;
    }
    worked.map_or(Ok(()), store)
}
